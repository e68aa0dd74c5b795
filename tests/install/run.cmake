# Installs the build tree to a scratch prefix, builds consumer/ and examples/run_sparse against it
# and runs them; run_sparse on a checkpoint that the installed program makes.
#   cmake -DBUILD=<build> -DSOURCE=<source root> -DWORK=<scratch> -DGENERATOR=<of the build>
#         -P run.cmake
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGV}\n${out}")
  endif()
  set(output "${out}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE}/tests/install/consumer -B ${WORK}/build
    -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/consumer ${SOURCE}/examples/fashion_mnist/fashion_mnist_resnet14.onnx)
if(NOT output MATCHES "10 classes, first logit")
  message(FATAL_ERROR "the consumer printed: ${output}")
endif()
run(${WORK}/prefix/bin/sparsify --version)

run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE}/examples/run_sparse -B ${WORK}/run_sparse
    -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${WORK}/run_sparse)
set(example ${SOURCE}/examples/fashion_mnist)
run(${WORK}/prefix/bin/sparsify --config ${WORK}/prefix/share/sparsify/configs/quickstart.yaml
    --set model.path=${example}/fashion_mnist_resnet14.onnx --set data.evaluation=None
    --set sweep=[50] --set sparsity.allocation.type=L2Normalized --set benchmark=None
    --output ${WORK}/run)
run(${WORK}/run_sparse/run_sparse ${WORK}/run/checkpoints/sparsity_50.h5 ${example}/ankle_boot.png)
if(NOT output MATCHES "probability\n    9 .*layers [0-9]+ of 16 run sparse")
  message(FATAL_ERROR "run_sparse printed: ${output}")
endif()
