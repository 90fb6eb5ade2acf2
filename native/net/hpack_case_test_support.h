// What can be wrong with a header block's compression, whoever sends it: RFC 7541.
#ifndef SKYSAIL_NET_HPACK_CASE_TEST_SUPPORT_H_
#define SKYSAIL_NET_HPACK_CASE_TEST_SUPPORT_H_

#include <string>
#include <vector>

#include "net/h2_case_test_support.h"

namespace skysail::net {

struct HpackCase {
  const char* name;
  const char* section;  // of RFC 7541
  std::string before;   // a valid block
  std::string after;    // it
  bool valid;
};

inline std::vector<HpackCase> HpackCases() {
  const std::string long_integer = "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01";
  const std::string huffman_a = "\x81\x1f";  // "a" is 00011, padded with ones
  const std::string name("\x00\x01x", 3);    // a literal's new name "x", not indexed
  return {
      {"IndexZero", "6.1", "", "\x80", false},
      {"IndexBeyondTheTables", "2.3.3", "", "\xbe", false},
      {"NameIndexBeyondTheTables", "2.3.3", "", "\x7e\x01y", false},
      {"IndexOverThirtyTwoBits", "5.1", "", "\xff" + long_integer, false},
      {"LengthOverThirtyTwoBits", "5.1", "", std::string("\0\x7f", 2) + long_integer, false},
      {"IntegerThatDoesNotEnd", "5.1", "", "\xff\x80\x80", false},
      {"StringLongerThanItsBlock", "5.2", "", name + "\x05y", false},
      {"LiteralWithoutAValue", "6.2", "", name, false},
      {"HuffmanPadding", "5.2", "", name + huffman_a, true},
      {"HuffmanPaddingOfZeros", "5.2", "", name + "\x81\x18", false},
      {"HuffmanPaddingOfEightBits", "5.2", "", name + "\x82\x1f\xff", false},
      {"HuffmanEndOfString", "5.2", "", name + "\x84\xff\xff\xff\xff", false},
      {"SizeUpdateAtTheLimit", "6.3", "\x3f\xe1\x1f", "", true},
      {"SizeUpdateAboveTheLimit", "6.3", "\x3f\xe2\x1f", "", false},
      {"TwoSizeUpdatesThatBeginABlock", "4.2", "\x20\x3f\xe1\x1f", "", true},
      {"SizeUpdateAfterAField", "4.2", "", "\x20", false},
      {"EntryThatATableOfNothingCannotHold", "4.4", "\x20", "\x40\x01x\x01y\xbe", false},
      {"EntryAddedAndUsed", "6.2.1", "", "\x40\x01x\x01y\xbe", true},
      {"NeverIndexedField", "6.2.3", "", "\x10\x01x\x01y", true},
  };
}

}  // namespace skysail::net

#endif  // SKYSAIL_NET_HPACK_CASE_TEST_SUPPORT_H_
