// Lines as the linked list that libcurl reads, in memory that is used again.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <curl/curl.h>

namespace hookd {

// libcurl only reads such a list, and keeps no copy: Clear when no handle refers to it any more, then Add
// each line, then get.
class HeaderList {
 public:
  void Clear() {
    text_.clear();
    ends_.clear();
  }

  // A line in pieces, without its end.
  template <typename... Pieces>
  void Add(const Pieces&... pieces) {
    (text_.append(std::string_view(pieces)), ...);
    text_.push_back('\0');
    ends_.push_back(text_.size());
  }

  // Null when empty. Valid until Clear or Add.
  curl_slist* get() {
    nodes_.resize(ends_.size());
    size_t begin = 0;
    for (size_t i = 0; i < ends_.size(); ++i) {
      nodes_[i].data = text_.data() + begin;
      nodes_[i].next = i + 1 < ends_.size() ? &nodes_[i + 1] : nullptr;
      begin = ends_[i];
    }
    return nodes_.empty() ? nullptr : nodes_.data();
  }

 private:
  std::string text_;
  std::vector<size_t> ends_;
  std::vector<curl_slist> nodes_;
};

}  // namespace hookd
