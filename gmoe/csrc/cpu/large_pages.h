// Memory of large results in large pages.
#pragma once

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace gmoe::cpu {

// New memory is mapped page by page where it is first written to, which takes
// longer than the op itself where pages are small. NumPy asks for large pages
// too, from the same size on. Only a hint: nothing depends on its success.
template <typename T>
void use_large_pages(T* data, int64_t count) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uintptr_t kPage = 2 << 20, kLeast = 4 << 20;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t end = begin + count * sizeof(T);
  if (end - begin >= kLeast) {
    const uintptr_t first = (begin + kPage - 1) / kPage * kPage;
    madvise(
        reinterpret_cast<void*>(first), end / kPage * kPage - first,
        MADV_HUGEPAGE);
  }
#endif
}

} // namespace gmoe::cpu
