#include "steady/heap.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>

namespace skysail::steady {
namespace {

constexpr size_t kMostLarge = 256;

// Constant-initialised: memory is asked for before any constructor has run.
std::atomic<int64_t> live_bytes{0};
std::atomic<uint64_t> allocations{0};
std::atomic<size_t> large_blocks{0};
std::array<std::atomic<size_t>, kMostLarge> large_sizes{};
__thread uint64_t thread_allocations = 0;

}  // namespace

int64_t LiveBytes() { return live_bytes.load(); }
uint64_t ThreadAllocations() { return thread_allocations; }
uint64_t Allocations() { return allocations.load(); }
void ForgetLargeBlocks() { large_blocks.store(0); }
std::vector<size_t> LargeBlocks() {
  const size_t count = std::min(large_blocks.load(), kMostLarge);
  return std::vector<size_t>(large_sizes.begin(),
                             large_sizes.begin() + static_cast<std::ptrdiff_t>(count));
}

namespace {

[[maybe_unused]] void* Allocated(void* block, size_t size) {
  if (block == nullptr) return nullptr;
  live_bytes.fetch_add(static_cast<int64_t>(malloc_usable_size(block)), std::memory_order_relaxed);
  allocations.fetch_add(1, std::memory_order_relaxed);
  ++thread_allocations;
  if (size >= kLargeBytes) {
    const size_t at = large_blocks.fetch_add(1);
    if (at < kMostLarge) large_sizes[at].store(size);
  }
  return block;
}

[[maybe_unused]] void Freed(void* block) {
  if (block == nullptr) return;
  live_bytes.fetch_sub(static_cast<int64_t>(malloc_usable_size(block)), std::memory_order_relaxed);
}

}  // namespace
}  // namespace skysail::steady

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// The program's own malloc stands before the C library's for every library that is linked, and hands
// on to it. operator new calls malloc.
extern "C" {

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* block);

void* malloc(size_t size) { return skysail::steady::Allocated(__libc_malloc(size), size); }
void* calloc(size_t count, size_t size) {
  return skysail::steady::Allocated(__libc_calloc(count, size), count * size);
}
void* realloc(void* block, size_t size) {
  skysail::steady::Freed(block);
  return skysail::steady::Allocated(__libc_realloc(block, size), size);
}
void* memalign(size_t alignment, size_t size) {
  return skysail::steady::Allocated(__libc_memalign(alignment, size), size);
}
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void** block, size_t alignment, size_t size) {
  *block = memalign(alignment, size);
  return *block == nullptr ? ENOMEM : 0;
}
void free(void* block) {
  skysail::steady::Freed(block);
  __libc_free(block);
}

}  // extern "C"
#endif
