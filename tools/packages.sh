# What is needed to build, and beside that to test. Sourced.
BUILD_PACKAGES=(gcc libc6-dev cmake ninja-build pkg-config libdnnl-dev libjansson-dev libxxhash-dev zlib1g-dev libturbojpeg0-dev libpng-dev libwebp-dev liblapacke-dev libopenblas-openmp-dev)
TEST_PACKAGES=(g++ python3 libcmocka-dev)
FULL_PACKAGES=(clang clang-format locales strace valgrind)
