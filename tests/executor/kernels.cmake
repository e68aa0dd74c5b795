add_library(sparsify_kernels_support STATIC kernels_support.cc)
    target_link_libraries(sparsify_kernels_support PUBLIC sparsify_executor sparsify_kernels
                              sparsify_base GTest::gtest PRIVATE sparsify_warnings)
        sparsify_test(executor_kernels_sparse_conv_test SOURCES kernels_sparse_conv_test.cc DEPS
                          sparsify_kernels_support)
            sparsify_test(executor_kernels_lane_ops_test SOURCES kernels_lane_ops_test.cc DEPS
                              sparsify_kernels_support)
