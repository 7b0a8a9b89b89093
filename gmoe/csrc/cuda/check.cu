// On CUDA the values of indices are not looked at: the host would have to wait
// for the device.
#include "../check.h"

namespace gmoe {

void check_ids(const char*, const Tensor&, int64_t) {}

void check_rising(const char*, const Tensor&) {}

void check_ptr(const char* name, const Tensor& ptr, int64_t, bool) {
  check_not_empty(name, ptr);
}

} // namespace gmoe
