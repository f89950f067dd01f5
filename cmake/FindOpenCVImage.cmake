# Finds those of OpenCV's libraries that read and resize images, and gives the target
# OpenCVImage::OpenCVImage, visible in every folder. OpenCV's own configuration file isn't used: the
# package that has it brings all of OpenCV.
find_path(OpenCVImage_INCLUDE_DIR opencv2/imgcodecs.hpp PATH_SUFFIXES opencv4)
find_library(OpenCVImage_CODECS_LIBRARY opencv_imgcodecs)
find_library(OpenCVImage_PROCESSING_LIBRARY opencv_imgproc)
find_library(OpenCVImage_CORE_LIBRARY opencv_core)
mark_as_advanced(OpenCVImage_INCLUDE_DIR OpenCVImage_CODECS_LIBRARY
                 OpenCVImage_PROCESSING_LIBRARY OpenCVImage_CORE_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCVImage
  REQUIRED_VARS OpenCVImage_CODECS_LIBRARY OpenCVImage_PROCESSING_LIBRARY
                OpenCVImage_CORE_LIBRARY OpenCVImage_INCLUDE_DIR
  REASON_FAILURE_MESSAGE
    "on Debian: apt-get install libopencv-imgcodecs-dev libopencv-imgproc-dev")

if(OpenCVImage_FOUND AND NOT TARGET OpenCVImage::OpenCVImage)
  add_library(OpenCVImage::OpenCVImage INTERFACE IMPORTED GLOBAL)
  set_target_properties(OpenCVImage::OpenCVImage PROPERTIES
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${OpenCVImage_INCLUDE_DIR}"
    INTERFACE_INCLUDE_DIRECTORIES "${OpenCVImage_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES
      "${OpenCVImage_CODECS_LIBRARY};${OpenCVImage_PROCESSING_LIBRARY};${OpenCVImage_CORE_LIBRARY}")
endif()
