// onnx_roundtrip IN OUT: reads an ONNX model and writes it again. What
// tests/oracles/check_onnx_export.py compares with the original in another engine.
#include <cstdio>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/io/onnx.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: onnx_roundtrip IN OUT\n", stderr);
    return 2;
  }
  try {
    sparsify::SetLogLevel(sparsify::LogLevel::kVerbose);
    sparsify::SaveOnnx(sparsify::LoadOnnx(argv[1]), argv[2]);
  } catch (const sparsify::Error& error) {
    std::fprintf(stderr, "onnx_roundtrip: error: %s\n", error.what());
    return error.ExitCode();
  }
  return 0;
}
