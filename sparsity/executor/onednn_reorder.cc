#include <memory>

#include "sparsity/executor/onednn_kernel.h"
#include "sparsity/executor/onednn_steps.h"

namespace sparsify::onednn {

KernelPtr MakeReorder(const Shape& shape, const Layout& from, const Layout& to) {
  const dnnl::reorder::primitive_desc pd(Engine(), FormatOf(from, shape), Engine(),
                                         FormatOf(to, shape), UserScratchpad());
  auto kernel = std::make_unique<OnednnKernel>(dnnl::reorder(pd), pd.impl_info_str());
  kernel->AddInput(DNNL_ARG_FROM, pd.src_desc(), shape);
  kernel->AddOutput(DNNL_ARG_TO, pd.dst_desc(), shape);
  kernel->AddScratch(pd.scratchpad_desc());
  return kernel;
}

}  // namespace sparsify::onednn
