// A libcuda.so.1 without a GPU, so that the real cuda-python can be run: device memory is the
// host's, a stream does its work at once, kernels are those of fusion_kernels.cu. What a driver
// would refuse is refused: no context, a foreign pointer, a stream that is not one.
// FAKE_CUDA_FAIL=cuMemAlloc_v2:2 lets one call fail with one code.
#include "../../runtime/gpu/fusion_kernels.cu"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#define API extern "C" __attribute__((visibility("default"))) int

enum { OK = 0, INVALID_VALUE = 1, NO_CONTEXT = 201, INVALID_HANDLE = 400, NOT_FOUND = 500 };

namespace {

typedef void (*HostKernel)(const Launch*, const int*, int);
typedef unsigned long long Pointer;

struct Function { HostKernel run; };
struct Work { HostKernel run; Launch arguments; int threads; };
struct Stream { bool capturing; std::vector<Work> recorded; };

std::map<Pointer, size_t> memory;
std::vector<void*> stack;
std::set<Stream*> streams;
int retained, primary_marker, foreign_marker, live_events, live_graphs, live_modules;

bool fails(const char* call, int* code) {
  const char* wanted = getenv("FAKE_CUDA_FAIL");
  if (!wanted) return false;
  std::string text(wanted), name(text.substr(0, text.find(':')));
  *code = atoi(text.c_str() + text.find(':') + 1);
  return name == call;
}

#define MAY_FAIL() int code_; if (fails(__func__, &code_)) return code_
#define NEED_CONTEXT() MAY_FAIL(); if (stack.empty()) return NO_CONTEXT

bool holds(Pointer at, size_t n) {
  auto next = memory.upper_bound(at);
  if (next == memory.begin()) return false;
  --next;
  return at + n <= next->first + next->second;
}

bool live(Stream* stream) { return streams.count(stream) > 0; }

void run(const Work& work) {
  std::vector<int> order(work.threads);
  for (int t = 0; t < work.threads; t++) order[t] = work.threads - 1 - t;
  work.run(&work.arguments, order.data(), work.threads);
}

Pointer take(size_t n) {
  void* made = aligned_alloc(256, (n + 255) / 256 * 256);
  memset(made, 0xCD, n);
  memory[(Pointer)made] = n;
  return (Pointer)made;
}

int give(Pointer at) {
  if (!memory.erase(at)) return INVALID_VALUE;
  free((void*)at);
  return OK;
}

}  // namespace

API cuInit(unsigned) { MAY_FAIL(); return OK; }
API cuDriverGetVersion(int* version) {
  *version = getenv("FAKE_CUDA_VERSION") ? atoi(getenv("FAKE_CUDA_VERSION")) : 13000;
  return OK;
}
API cuDeviceGetCount(int* count) { MAY_FAIL(); *count = 1; return OK; }
API cuDeviceGet(int* device, int ordinal) { *device = ordinal; return ordinal ? 101 : OK; }
API cuDeviceGetName(char* name, int n, int) { snprintf(name, n, "Fake RTX"); return OK; }
API cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = 8ull << 30; return OK; }
API cuMemGetInfo_v2(size_t* free, size_t* total) { *free = 6ull << 30; *total = 8ull << 30; return OK; }
API cuDeviceGetAttribute(int* value, int which, int) {
  *value = which == 75 ? 8 : which == 76 ? 9 : which == 16 ? 48 : 0;
  return OK;
}
API cuDeviceComputeCapability(int* major, int* minor, int) { *major = 8; *minor = 9; return OK; }
API cuCtxGetDevice(int* device) { *device = 0; return OK; }
API cuDevicePrimaryCtxRetain(void** context, int) {
  MAY_FAIL();
  retained++;
  *context = &primary_marker;
  return OK;
}
API cuDevicePrimaryCtxRelease_v2(int) { return retained-- > 0 ? OK : NO_CONTEXT; }
API cuCtxGetCurrent(void** context) { *context = stack.empty() ? 0 : stack.back(); return OK; }
API cuCtxPushCurrent_v2(void* context) { stack.push_back(context); return OK; }
API cuCtxPopCurrent_v2(void** context) {
  if (stack.empty()) return NO_CONTEXT;
  *context = stack.back();
  stack.pop_back();
  return OK;
}
API cuMemAlloc_v2(Pointer* at, size_t n) { NEED_CONTEXT(); *at = take(n); return OK; }
API cuMemFree_v2(Pointer at) { NEED_CONTEXT(); return give(at); }
API cuMemHostAlloc(void** at, size_t n, unsigned flags) {
  NEED_CONTEXT();
  if (flags != 2) return INVALID_VALUE;  // CU_MEMHOSTALLOC_DEVICEMAP
  *at = (void*)take(n);
  return OK;
}
API cuMemFreeHost(void* at) { NEED_CONTEXT(); return give((Pointer)at); }
API cuMemHostGetDevicePointer_v2(Pointer* at, void* host, unsigned) {
  NEED_CONTEXT();
  *at = (Pointer)host;
  return OK;
}
API cuStreamCreate(Stream** stream, unsigned flags) {
  NEED_CONTEXT();
  if (flags != 1) return INVALID_VALUE;  // CU_STREAM_NON_BLOCKING
  *stream = new Stream();
  streams.insert(*stream);
  return OK;
}
API cuStreamDestroy_v2(Stream* stream) {
  NEED_CONTEXT();
  if (!live(stream)) return INVALID_HANDLE;
  streams.erase(stream);
  delete stream;
  return OK;
}
API cuStreamSynchronize(Stream* stream) {
  NEED_CONTEXT();
  if (!live(stream)) return INVALID_HANDLE;
  return stream->capturing ? 900 : OK;
}
API cuStreamBeginCapture_v2(Stream* stream, int mode) {
  NEED_CONTEXT();
  if (!live(stream) || mode != 1) return INVALID_VALUE;
  stream->capturing = true;
  stream->recorded.clear();
  return OK;
}
API cuStreamEndCapture(Stream* stream, void** graph) {
  NEED_CONTEXT();
  if (!live(stream) || !stream->capturing) return INVALID_VALUE;
  stream->capturing = false;
  *graph = new std::vector<Work>(stream->recorded);
  return OK;
}
API cuGraphInstantiateWithFlags(void** made, void* graph, unsigned long long) {
  NEED_CONTEXT();
  *made = new std::vector<Work>(*(std::vector<Work>*)graph);
  live_graphs++;
  return OK;
}
API cuGraphDestroy(void* graph) { delete (std::vector<Work>*)graph; return OK; }
API cuGraphExecDestroy(void* made) {
  live_graphs--;
  delete (std::vector<Work>*)made;
  return OK;
}
API cuGraphLaunch(void* made, Stream* stream) {
  NEED_CONTEXT();
  if (!live(stream)) return INVALID_HANDLE;
  for (const Work& work : *(std::vector<Work>*)made) run(work);
  return OK;
}
API cuMemcpyHtoDAsync_v2(Pointer to, const void* from, size_t n, Stream* stream) {
  NEED_CONTEXT();
  if (!holds(to, n) || !holds((Pointer)from, n)) return 700;  // pageable memory is not for us
  if (!live(stream)) return INVALID_HANDLE;
  memcpy((void*)to, from, n);
  return OK;
}
API cuMemcpyDtoHAsync_v2(void* to, Pointer from, size_t n, Stream* stream) {
  NEED_CONTEXT();
  if (!holds((Pointer)to, n) || !holds(from, n)) return 700;
  if (!live(stream)) return INVALID_HANDLE;
  memcpy(to, (void*)from, n);
  return OK;
}
API cuMemsetD8Async(Pointer at, unsigned char byte, size_t n, Stream* stream) {
  NEED_CONTEXT();
  if (!holds(at, n)) return 700;
  if (!live(stream)) return INVALID_HANDLE;
  memset((void*)at, byte, n);
  return OK;
}
API cuModuleLoadData(void** module, const void* image) {
  NEED_CONTEXT();
  if (memcmp(image, "\x7f" "ELF", 4)) return 200;
  live_modules++;
  *module = &live_modules;
  return OK;
}
API cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
  return cuModuleLoadData(module, image);
}
API cuModuleUnload(void*) { NEED_CONTEXT(); live_modules--; return OK; }
API cuModuleGetFunction(void** function, void*, const char* name) {
  NEED_CONTEXT();
  static std::map<std::string, Function> known = {
      {"claim_pixels", {host_claim_pixels}}, {"claim_points", {host_claim_points}},
      {"fuse_pixels", {host_fuse_pixels}},   {"fuse_points", {host_fuse_points}},
      {"pack_blocks", {host_pack_blocks}}};
  auto found = known.find(name);
  if (found == known.end()) return NOT_FOUND;
  *function = &found->second;
  return OK;
}
API cuFuncSetBlockShape(void*, int, int, int) { return OK; }
API cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned, Stream* stream, void** parameters, void** extra) {
  NEED_CONTEXT();
  if (!live(stream)) return INVALID_HANDLE;
  if (gy * gz * by * bz != 1) return INVALID_VALUE;
  HostKernel kernel = ((Function*)function)->run;
  int threads = (int)(gx * bx);
  if (kernel == host_pack_blocks) threads /= 32;  // one lane a warp on the host
  const void* arguments = parameters ? parameters[0] : extra[1];  // pycuda packs a buffer
  Work work{kernel, *(const Launch*)arguments, threads};
  if (stream->capturing) stream->recorded.push_back(work);
  else run(work);
  return OK;
}
API cuEventCreate(void** event, unsigned) {
  NEED_CONTEXT();
  live_events++;
  *event = &live_events;
  return OK;
}
API cuEventRecord(void*, Stream* stream) { return live(stream) ? OK : INVALID_HANDLE; }
API cuEventQuery(void*) { NEED_CONTEXT(); return OK; }
API cuEventSynchronize(void*) { NEED_CONTEXT(); return OK; }
API cuEventElapsedTime(float* ms, void*, void*) { *ms = 1.5f; return OK; }
API cuEventElapsedTime_v2(float* ms, void*, void*) { *ms = 1.5f; return OK; }
API cuEventDestroy_v2(void*) { live_events--; return OK; }
API cuGetErrorName(int code, const char** name) {
  *name = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : code == 100 ? "CUDA_ERROR_NO_DEVICE"
        : code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_UNKNOWN";
  return OK;
}
API cuGetErrorString(int, const char** text) { *text = "as the fake driver says"; return OK; }

// --- for the test --------------------------------------------------------------------------------

API fake_left() {
  return (int)memory.size() + (int)stack.size() + retained + (int)streams.size() + live_events +
         live_graphs + live_modules;
}
API fake_enter_foreign_context() { stack.push_back(&foreign_marker); return OK; }

// How cuda-python finds every function.
#include <dlfcn.h>
API cuGetProcAddress_v2(const char* name, void** found, int, unsigned long long, int* status) {
  static void* self = 0;
  if (!self) {
    Dl_info here;
    dladdr((void*)&cuInit, &here);
    self = dlopen(here.dli_fname, RTLD_NOW);
  }
  const char* endings[] = {"_v2", "", "_v3"};
  *found = 0;
  if (!strcmp(name, "cuGraphInstantiate")) *found = dlsym(self, "cuGraphInstantiateWithFlags");
  for (const char* ending : endings)
    if (!*found) *found = dlsym(self, (std::string(name) + ending).c_str());
  if (status) *status = *found ? 0 : 1;
  return *found ? OK : NOT_FOUND;
}
API cuGetProcAddress(const char* name, void** found, int version, unsigned long long flags) {
  return cuGetProcAddress_v2(name, found, version, flags, 0);
}
