#include "dispatcher/tools/toolbox.h"

namespace hookd {

std::optional<BinTarget> Toolbox::StandsIn(const Endpoint& /*endpoint*/) { return std::nullopt; }

}  // namespace hookd
