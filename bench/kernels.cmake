add_executable(kernel_bench kernel_bench.cc dense_conv.cc)
target_link_libraries(kernel_bench PRIVATE sparsify_executor sparsify_kernels sparsify_base
                      sparsify_warnings CLI11::CLI11 DNNL::dnnl OpenMP::OpenMP_CXX)
