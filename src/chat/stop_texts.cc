#include "chat/stop_texts.h"

#include <utility>

namespace prwkv {

StopTexts::StopTexts(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase(stops_, "");
}

std::string StopTexts::push(std::string_view bytes) {
  if (!found_.empty()) return {};
  held_ += bytes;
  return release(false);
}

std::string StopTexts::finish() { return release(true); }

// A stop text that is whole may be the beginning of a longer one, and one that began earlier may still become whole.
// The first is not waited for: of those that are whole the longest counts. The second is: as long as a text that
// began earlier may go on, nothing is decided.
std::string StopTexts::release(bool is_end) {
  std::size_t at = 0;
  for (; at < held_.size(); ++at) {
    const std::string_view rest = std::string_view(held_).substr(at);
    bool may_become = false;
    for (const std::string& stop : stops_) {
      if (rest.starts_with(stop)) {
        if (stop.size() > found_.size()) found_ = stop;
      } else if (std::string_view(stop).starts_with(rest)) {
        may_become = true;
      }
    }
    if (!found_.empty() || (may_become && !is_end)) break;
  }
  std::string certain = held_.substr(0, at);
  held_.erase(0, found_.empty() ? at : held_.size());
  released_ += certain.size();
  return certain;
}

}  // namespace prwkv
