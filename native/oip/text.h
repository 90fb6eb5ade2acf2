// Text as it stands in messages: validity, and a form that is fit for an error message.
#ifndef SKYSAIL_OIP_TEXT_H_
#define SKYSAIL_OIP_TEXT_H_

#include <string>
#include <string_view>

namespace skysail::oip {

// Well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF. O(n), fast for ASCII.
bool IsUtf8(std::string_view text);

// 'text', cut at a character's end when it is long: a caller chooses names, and an error message
// travels in a header. Requires valid UTF-8.
std::string Quote(std::string_view text);

}  // namespace skysail::oip

#endif  // SKYSAIL_OIP_TEXT_H_
