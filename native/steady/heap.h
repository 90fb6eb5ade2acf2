// What the programs of this folder have on the heap: every malloc and operator new of the process,
// those of the libraries that it links included, is counted.
//
// Sanitizers bring an allocator of their own: under them nothing is counted, and tests that rest on
// counts skip them.
#ifndef SKYSAIL_STEADY_HEAP_H_
#define SKYSAIL_STEADY_HEAP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace skysail::steady {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kHeapCounted = false;
#else
inline constexpr bool kHeapCounted = true;
#endif

// Blocks of this size and above are listed one by one; no buffer of a connection is as large.
inline constexpr size_t kLargeBytes = 128 << 10;

// Bytes that are allocated and not freed, by all threads.
int64_t LiveBytes();
// Allocations so far, by the calling thread and by all threads.
uint64_t ThreadAllocations();
uint64_t Allocations();
// Forgets the large blocks that were listed.
void ForgetLargeBlocks();
// What was asked for in each large block since then, in the order of asking; at most 256 are kept.
std::vector<size_t> LargeBlocks();

}  // namespace skysail::steady

#endif  // SKYSAIL_STEADY_HEAP_H_
