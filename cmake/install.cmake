# find_package(lathe) for other projects: the component targets as lathe::<component>, and the
# command line. Each component installs its own library and headers (lathe_component). CMake's install
# components are the packages of packaging.cmake: program, dev, python.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(lathe_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lathe)

if(TARGET lathe_cli)
  install(TARGETS lathe_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
endif()
if(TARGET lathe_onnxruntime_runner)
  install(TARGETS lathe_onnxruntime_runner RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
          COMPONENT program)
endif()

install(EXPORT lathe_targets NAMESPACE lathe:: FILE latheTargets.cmake
        DESTINATION ${lathe_package_dir} COMPONENT dev)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/latheConfig.cmake.in
  ${PROJECT_BINARY_DIR}/latheConfig.cmake INSTALL_DESTINATION ${lathe_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/latheConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/latheConfig.cmake ${PROJECT_BINARY_DIR}/latheConfigVersion.cmake
        DESTINATION ${lathe_package_dir} COMPONENT dev)
# data links OpenCV and deploy ONNX, found by our own modules.
install(FILES ${PROJECT_SOURCE_DIR}/cmake/FindOpenCVImage.cmake DESTINATION ${lathe_package_dir}
        COMPONENT dev)
if(LATHE_TORCH)
  install(FILES ${PROJECT_SOURCE_DIR}/cmake/FindONNX.cmake
                ${PROJECT_SOURCE_DIR}/cmake/own_headers_first.cmake
          DESTINATION ${lathe_package_dir} COMPONENT dev)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT dev)
