"""How the firmware is built: the Arm GCC on the PATH, the project's own linker script, nothing else.

The firmware is compiled for size; kernels, where the time goes, for speed. C++ and its library are only for models that
an interpreter runs.
"""

import os
import shlex
import shutil
import sys

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment, Import

env = DefaultEnvironment()
board = env.BoardConfig()

if shutil.which("arm-none-eabi-gcc", path=env["ENV"]["PATH"]) is None:
    sys.stderr.write("Error: arm-none-eabi-gcc is not on the PATH (Debian: gcc-arm-none-eabi)\n")
    env.Exit(1)

cpu = board.get("build.cpu_flags")
firmware = os.path.join("$PROJECT_DIR", "firmware")
parts = [
    part
    for part in ("src", "ports", "observe", "tflm", "kernels")
    if os.path.isdir(env.subst(os.path.join(firmware, part)))
]
has_cxx = "tflm" in parts

env.Replace(
    AR="arm-none-eabi-ar",
    AS="arm-none-eabi-as",
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    LINK="arm-none-eabi-gcc",
    OBJCOPY="arm-none-eabi-objcopy",
    RANLIB="arm-none-eabi-ranlib",
    SIZETOOL="arm-none-eabi-size",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
    # PlatformIO reports flash and RAM from these sections of `size -A`; they are the ones of linker.ld.
    SIZEPROGREGEXP=r"^(?:\.vectors|\.text|\.td_model|\.rodata|\.init_array|\.ARM\.exidx|\.data)\s+(\d+).*",
    SIZEDATAREGEXP=r"^(?:\.stack|\.data|\.bss)\s+(\d+).*",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    LDSCRIPT_PATH=os.path.join("$PROJECT_DIR", "linker.ld"),
)
env.Append(
    ASPPFLAGS=[*cpu, "-x", "assembler-with-cpp"],
    CPPPATH=[
        "$PROJECT_INCLUDE_DIR",
        *(os.path.join(firmware, part) for part in ("include", "kernels", "observe", "ports/cortex_m", "tflm")),
    ],
    CCFLAGS=[
        *cpu,
        "-Os",
        "-g",
        "-ffile-prefix-map=" + env.subst("$PROJECT_DIR") + "=.",  # the same bytes wherever the project lies
        "-ffunction-sections",
        "-fdata-sections",
        # Shown, but no errors: a newer compiler may find what none does today.
        "-Wall",
        "-Wextra",
        "-Wconversion",
        "-Wshadow",
    ],
    CFLAGS=["-std=c99", "-Wstrict-prototypes"],
    CXXFLAGS=["-std=gnu++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
    LINKFLAGS=[
        *cpu,
        "-nostartfiles",
        "--specs=nano.specs",
        "-Wl,--gc-sections",
        "-Wl,-Map=" + env.subst(os.path.join("$BUILD_DIR", "firmware.map")),  # substituted here: it may have spaces
    ],
    LIBS=[*(["stdc++", "m"] if has_cxx else []), "c", "gcc"],
)

kernels = env.Clone()
kernels["CCFLAGS"] = ["-O2" if flag == "-Os" else flag for flag in env["CCFLAGS"]]

adapter = env.Clone()

for part in parts:
    builder = {"kernels": kernels, "tflm": adapter}.get(part, env)
    builder.BuildSources(os.path.join("$BUILD_DIR", "firmware", part), os.path.join(firmware, part))

program = env.BuildProgram()

# Only now is it known how the project's library is to be seen: the structures of TFLM depend on macros, and the warnings
# of its headers are not ours.
Import("projenv")
adapter.Replace(CPPDEFINES=projenv["CPPDEFINES"])
adapter.Append(CCFLAGS=[("-isystem", folder) for folder in projenv["CPPPATH"] if folder not in env["CPPPATH"]])

env.Depends(program, env.File(os.path.join("$PROJECT_DIR", "linker.ld")))
Default(program)

if "emulator" in board.get("build"):
    emulator = [board.get("build.emulator.program"), *board.get("build.emulator.args"), "-serial", "pty"]
    run = env.VerboseAction(
        shlex.join(emulator) + " -kernel $SOURCE", "Running $SOURCE in the emulator; Ctrl-C ends it"
    )
    AlwaysBuild(env.Alias("upload", program, run))
