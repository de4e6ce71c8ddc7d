#include "dispatcher/alerts/mail_cursor.h"

#include <gtest/gtest.h>

#include "base/concat.h"
#include "dispatcher/engine/engine.h"

namespace hookd {
namespace {

EventId Id(WallMs ms) { return EventId::Make(ms, 0, 7, 1); }

TEST(MailCursorTest, IsReadAsItWasWritten) {
  MailCursor cursor;
  cursor.after = Id(1'000);
  EXPECT_EQ(ToText(cursor), Concat("after ", Id(1'000).ToString(), "\n"));
  EXPECT_EQ(*ParseMailCursor(ToText(cursor)), cursor);

  cursor.until = Id(2'000);
  EXPECT_EQ(*ParseMailCursor(ToText(cursor)), cursor);
  cursor.begun = true;
  cursor.address = "ops@example.com";  // of the operators
  EXPECT_EQ(*ParseMailCursor(ToText(cursor)), cursor);
  cursor.group = "acme";
  cursor.deferred = {{3, Id(10), Id(20), "", "ops@example.com"},
                     {1, Id(30), Id(30), "acme", "a+b@example.com"}};
  EXPECT_EQ(*ParseMailCursor(ToText(cursor)), cursor);
}

TEST(MailCursorTest, WhatIsNoneIsDataLoss) {
  const std::string id = Id(1).ToString();
  for (const std::string& text : {std::string(), std::string("after"), std::string("after x"), "until " + id,
                                  "after " + id + "\nbefore " + id, "after " + id + "\nuntil " + id + " acme",
                                  "after " + id + "\ndeferred x " + id + " " + id + " * a@b"}) {
    EXPECT_EQ(ParseMailCursor(text).status().code(), absl::StatusCode::kDataLoss) << text;
  }
}

TEST(MailCursorTest, TheLongestIsWithinItsBound) {
  MailCursor cursor;
  cursor.until = cursor.after = Id(1);
  cursor.begun = true;
  cursor.group = std::string(128, 'g');
  cursor.address = std::string(254, 'a');
  cursor.deferred.assign(kMaxDeferredMails, {UINT32_MAX, Id(1), Id(2), cursor.group, cursor.address});
  EXPECT_LE(ToText(cursor).size(), kMaxMailCursorBytes);
  EXPECT_EQ(*ParseMailCursor(ToText(cursor)), cursor);
}

}  // namespace
}  // namespace hookd
