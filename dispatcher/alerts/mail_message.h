// A mail as it goes over the wire: RFC 5322 with a MIME body. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"

namespace hookd {

struct Mail {
  std::string from;  // addresses that have passed CheckMailAddress
  std::string to;
  std::string subject;     // for people; whatever it holds, it stays one header
  std::string body;        // for people; lines end with "\n"
  std::string message_id;  // "left@right", without <>
  std::string references;  // likewise; empty = none
  WallMs date_ms = 0;
};

// A longer subject is cut.
inline constexpr size_t kMaxSubjectBytes = 200;

// Lines end with CRLF and have at most 998 bytes; nothing but ASCII. The dots that SMTP doubles are not.
std::string ComposeMail(const Mail& mail);

// `text` without line breaks and other control characters (a space each); what is not UTF-8 is "?".
std::string OneLine(std::string_view text);

// The value of an unstructured header: `text` as it is, or as encoded words (RFC 2047) where it needs them.
std::string EncodeHeader(std::string_view text);

// RFC 2045. "\n" and "\r\n" are line ends; the last line gets one.
std::string QuotedPrintable(std::string_view text);

}  // namespace hookd
