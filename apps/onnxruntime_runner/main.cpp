// lathe-onnxruntime: times ONNX files on this CPU for `lathe ... --runner onnxruntime`. Requests
// and answers are those of docs/runners.md, protocol 2.
#include <cstdio>
#include <iostream>

#include "service.h"

int main(int argc, char**) {
  if (argc > 1) {
    std::fputs(
        "usage: lathe-onnxruntime\n"
        "answers requests of --runner command --protocol 2 on standard input\n",
        stderr);
    return 2;
  }
  lathe::measure::serve(*lathe::app::make_onnxruntime_service(), std::cin, std::cout);
  return 0;
}
