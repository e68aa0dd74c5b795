// An outside program over the installed package: loads a model, plans it, runs one image.
#include <cstdio>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/executor/plan.h"
#include "sparsity/io/model_file.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const sparsify::Checkpoint model = sparsify::LoadModelFile(argv[1]);
    const sparsify::Plan plan(model.graph, {});
    std::vector<float> image(static_cast<size_t>(plan.input_shapes()[0].NumElements()), 0.5F);
    std::vector<float> logits(static_cast<size_t>(plan.output_shapes()[0].NumElements()));
    plan.Run({image.data()}, {logits.data()});
    std::printf("%zu classes, first logit %g\n", logits.size(), static_cast<double>(logits[0]));
  } catch (const sparsify::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.ExitCode();
  }
  return 0;
}
