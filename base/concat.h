// Strings from pieces. Debian's Abseil has a string_view of its own, so absl::StrCat takes no
// std::string_view.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace hookd {

template <std::convertible_to<std::string_view> T>
void AppendPiece(std::string& out, const T& piece) {
  out.append(std::string_view(piece));
}

template <std::integral T>
void AppendPiece(std::string& out, T number) {
  out.append(std::to_string(number));
}

// Concat("port ", 80, " of ", host)
template <typename... Pieces>
std::string Concat(const Pieces&... pieces) {
  std::string out;
  (AppendPiece(out, pieces), ...);
  return out;
}

}  // namespace hookd
