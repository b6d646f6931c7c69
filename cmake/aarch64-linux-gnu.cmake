# Cross compilation for 64-bit Arm with Debian's g++-aarch64-linux-gnu and libraries of the foreign architecture arm64
# (tools/install_packages.sh aarch64). Programs that run during the build, and tests, are run by qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)

# Architecture-independent packages lie in /usr/share; those of this machine's architecture must not be found.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)

# g++ would remark that g++ 9 passed some structs otherwise.
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)
