add_library(sparsify_kernels_support STATIC kernels_support.cc)
target_link_libraries(sparsify_kernels_support
  PUBLIC sparsify_executor sparsify_kernels sparsify_base GTest::gtest
  PRIVATE sparsify_warnings)
foreach(subject IN ITEMS lane_ops memory move_plan pooled_conv sparse_conv)
  sparsify_test(executor_kernels_${subject}_test SOURCES kernels_${subject}_test.cc
                DEPS sparsify_kernels_support)
endforeach()
