// Small kernels, right ones and wrong ones, to try the emulator on. Each wrong
// one has a fault that a GPU would let pass, or not always show.
#include <cuda_runtime.h>

#include <cassert>
#include <functional>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int kThreads = 64;

struct alignas(16) Pack {
  float value[4];
};

// Turns the numbers of a block round.
__global__ void __launch_bounds__(kThreads)
    turn(const float* in, int size, float* out, bool meet, int more) {
  __shared__ float row[kThreads];
  const int k = static_cast<int>(threadIdx.x);
  const int at = static_cast<int>(blockIdx.x * kThreads) + k;
  if (at < size + more) {
    row[k] = in[at];
  }
  if (meet) {
    __syncthreads();
  }
  const int other = kThreads - 1 - k;
  if (at < size) {
    out[at] = row[other];
  }
}

__global__ void write(float* out, int size, int step, int past) {
  const int k = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (k < size + past) {
    out[k / step] = 1;
  }
}

__global__ void beside(float* out, int past) {
  __shared__ float left[kThreads], right[kThreads];
  float* first = left + past;
  first[threadIdx.x] = 1;
  right[threadIdx.x] = 2;
  out[threadIdx.x] = first[threadIdx.x] + right[threadIdx.x];
}

__global__ void unwritten(float* out) {
  __shared__ float row[kThreads];
  out[threadIdx.x] = row[threadIdx.x];
}

__global__ void part(float* out, bool leave) {
  if (threadIdx.x >= 32) {
    if (leave) {
      return;
    }
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1;
}

__global__ void lanes(float* out, unsigned mask, unsigned most) {
  float value = static_cast<float>(threadIdx.x % 32);
  if (threadIdx.x % 32 < most) {
    for (int step = 16; step > 0; step /= 2) {
      value += __shfl_xor_sync(mask, value, step);
    }
  }
  out[threadIdx.x] = value;
}

__global__ void hand_on(float* out, bool meet) {
  __shared__ float row[kThreads];
  const int k = static_cast<int>(threadIdx.x);
  row[k] = static_cast<float>(k);
  if (meet) {
    __syncwarp();
  }
  out[k] = row[k ^ 1];
}

__global__ void votes(float* out) {
  const unsigned k = threadIdx.x % 32;
  const unsigned odd = __ballot_sync(0xffffffffU, k % 2 == 1);
  const unsigned same = __match_any_sync(0xffffffffU, k / 8);
  const unsigned from = __shfl_sync(0xffffffffU, k, 3, 8);
  const bool good = odd == 0xaaaaaaaaU && __popc(same) == 8 &&
      from == k / 8 * 8 + 3;
  out[threadIdx.x] = good ? 1 : 0;
}

__global__ void unaligned(const float* in, float* out) {
  const auto pack = *reinterpret_cast<const Pack*>(in + threadIdx.x);
  out[threadIdx.x] = pack.value[0];
}

__global__ void beyond(float* out, int size) {
  float row[4] = {1, 2, 3, 4};
  for (int k = 0; k < size; ++k) {
    out[threadIdx.x] = row[k] += static_cast<float>(k);
  }
}

__global__ void ask(const float* in) {
  assert(in[threadIdx.x] < 10);
}

__global__ void sum(const float* in, float* out, bool together) {
  if (together) {
    atomicAdd(out, in[threadIdx.x]);
  } else {
    *out += in[threadIdx.x];
  }
}

__global__ void dynamic(float* out) {
  extern __shared__ float row[];
  row[threadIdx.x] = 3;
  out[threadIdx.x] = row[threadIdx.x];
}

using Data = std::vector<float>;

// By name. Right ones must give `expected` in all places of out.
const std::map<std::string, std::function<void(const Data&, Data&)>> kCases{
    {"right: barrier",
     [](const Data& in, Data& out) {
       turn<<<2, kThreads>>>(in.data(), 128, out.data(), true, 0);
       turn<<<2, kThreads>>>(out.data(), 128, out.data(), true, 0);
     }},
    {"right: warp meets",
     [](const Data&, Data& out) { hand_on<<<1, kThreads>>>(out.data(), true); }},
    {"right: votes",
     [](const Data&, Data& out) { votes<<<1, kThreads>>>(out.data()); }},
    {"right: lanes",
     [](const Data&, Data& out) {
       lanes<<<1, kThreads>>>(out.data(), 0xffffffffU, 32);
     }},
    {"right: atomic",
     [](const Data& in, Data& out) {
       sum<<<1, kThreads>>>(in.data(), out.data(), true);
     }},
    {"right: dynamic",
     [](const Data&, Data& out) {
       dynamic<<<1, kThreads, kThreads * sizeof(float)>>>(out.data());
     }},
    {"right: beside",
     [](const Data&, Data& out) { beside<<<1, kThreads>>>(out.data(), 0); }},
    {"missing barrier",
     [](const Data& in, Data& out) {
       turn<<<2, kThreads>>>(in.data(), 128, out.data(), false, 0);
     }},
    {"missing meeting of a warp",
     [](const Data&, Data& out) {
       hand_on<<<1, kThreads>>>(out.data(), false);
     }},
    {"read behind a tensor",
     [](const Data& in, Data& out) {
       turn<<<3, kThreads>>>(in.data(), 128, out.data(), true, 1);
     }},
    {"write behind a tensor",
     [](const Data&, Data& out) { write<<<3, kThreads>>>(out.data(), 128, 1, 1); }},
    {"write behind shared memory",
     [](const Data&, Data& out) { beside<<<1, kThreads>>>(out.data(), 1); }},
    {"wrong stride",
     [](const Data&, Data& out) { write<<<2, kThreads>>>(out.data(), 128, 2, 0); }},
    {"unwritten shared memory",
     [](const Data&, Data& out) { unwritten<<<1, kThreads>>>(out.data()); }},
    {"barriers apart",
     [](const Data&, Data& out) { part<<<1, kThreads>>>(out.data(), false); }},
    {"left before the barrier",
     [](const Data&, Data& out) { part<<<1, kThreads>>>(out.data(), true); }},
    {"lanes that do not come",
     [](const Data&, Data& out) {
       lanes<<<1, kThreads>>>(out.data(), 0xffffffffU, 8);
     }},
    {"lanes that are not there",
     [](const Data&, Data& out) {
       lanes<<<1, 8>>>(out.data(), 0xffffffffU, 32);
     }},
    {"source that is not among the lanes",
     [](const Data&, Data& out) { lanes<<<1, kThreads>>>(out.data(), 0xff, 8); }},
    {"not aligned",
     [](const Data& in, Data& out) {
       unaligned<<<1, 2>>>(in.data(), out.data());
     }},
    {"index beyond a local array",
     [](const Data&, Data& out) { beyond<<<1, 1>>>(out.data(), 5); }},
    {"memory of the host",
     [](const Data&, Data& out) {
       float on_host[kThreads] = {};
       sum<<<1, 1>>>(on_host, out.data(), true);
     }},
    {"assertion",
     [](const Data& in, Data&) { ask<<<1, kThreads>>>(in.data()); }},
    {"sum without atomics",
     [](const Data& in, Data& out) {
       sum<<<1, kThreads>>>(in.data(), out.data(), false);
     }},
    {"too many threads",
     [](const Data&, Data& out) { write<<<1, 2048>>>(out.data(), 128, 1, 0); }},
    {"too many bytes",
     [](const Data&, Data& out) {
       dynamic<<<1, kThreads, 1 << 20>>>(out.data());
     }},
};

} // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

// Writes the names, one a line.
EXPORT const char* fault_names() {
  static std::string text;
  for (const auto& [name, _] : kCases) {
    text += name + "\n";
  }
  return text.c_str();
}

// Runs a case on 0, 1, 2 ... 127, and returns what was found, and the sum of
// the results.
EXPORT const char* run_fault(const char* name, double* total) {
  static std::string text;
  Data in(128), out(128);
  std::iota(in.begin(), in.end(), 0.0F);
  text.clear();
  try {
    kCases.at(name)(in, out);
  } catch (const std::runtime_error& error) {
    text = error.what();
  }
  *total = std::accumulate(out.begin(), out.end(), 0.0);
  return text.c_str();
}
