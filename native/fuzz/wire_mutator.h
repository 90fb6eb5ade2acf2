// Changes an encoded protobuf message field by field, so that a target gets past the lengths that
// nest in it: bytes changed at random nearly always break the outermost one.
#ifndef SKYSAIL_FUZZ_WIRE_MUTATOR_H_
#define SKYSAIL_FUZZ_WIRE_MUTATOR_H_

#include <cstddef>
#include <cstdint>

namespace skysail::fuzz {

// The body of an LLVMFuzzerCustomMutator: a change of one field of the message, at any depth, or as
// often one of libFuzzer's own changes of bytes. The result may be malformed.
size_t MutateMessage(uint8_t* data, size_t size, size_t max_size, unsigned int seed);

}  // namespace skysail::fuzz

#endif  // SKYSAIL_FUZZ_WIRE_MUTATOR_H_
