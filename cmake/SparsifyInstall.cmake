# Installs the program, the libraries, the headers and a package for find_package(sparsify).
include(CMakePackageConfigHelpers)

get_property(libraries GLOBAL PROPERTY SPARSIFY_LIBRARIES)
install(TARGETS ${libraries} sparsify_settings sparsify_hdf5 EXPORT sparsifyTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET sparsify)
  install(TARGETS sparsify RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(EXPORT sparsifyTargets NAMESPACE sparsify:: DESTINATION
        ${CMAKE_INSTALL_LIBDIR}/cmake/sparsify)

foreach(folder IN ITEMS sparsity schedulers reconstruction)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION include/sparsify
          FILES_MATCHING PATTERN "*.h" PATTERN cli EXCLUDE PATTERN mpi_session.h EXCLUDE)
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs DESTINATION ${CMAKE_INSTALL_DATADIR}/sparsify)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/sparsifyConfig.cmake.in
  ${PROJECT_BINARY_DIR}/sparsifyConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sparsify)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sparsifyConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sparsifyConfig.cmake
              ${PROJECT_BINARY_DIR}/sparsifyConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/Finddnnl.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/sparsify)
