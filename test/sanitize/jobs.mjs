// What `npm run test:sanitize` runs: the tests of kernels and of the addon, compiled with sanitizers by gcc and by clang.
import { execFileSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

const here = import.meta.dirname
const flags = '-fsanitize=address,undefined -fno-sanitize-recover=all -O1 -g -fno-omit-frame-pointer'

/** Where a compiler has a library that Node, which was made without sanitizers, must load first. Undefined where there is none. */
function libraryOf(compiler, name) {
  try {
    const path = execFileSync(compiler, [`-print-file-name=${name}`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    return existsSync(path) ? realpathSync(path) : undefined
  } catch {
    return undefined
  }
}

const compilers = [
  { name: 'gcc', libraries: ['libasan.so', 'libubsan.so'], extra: '', package: 'gcc' },
  {
    name: 'clang',
    libraries: ['libclang_rt.asan-x86_64.so'],
    extra: ' -shared-libasan',
    package: 'clang with its runtime (libclang-rt-dev)',
  },
]

/** Test files with the environment in which each is to run, and what is left out because this machine lacks something. */
export function sanitizeJobs() {
  const jobs = []
  const skipped = []
  for (const compiler of compilers) {
    const libraries = compiler.libraries.map((name) => libraryOf(compiler.name, name))
    if (libraries.includes(undefined)) {
      skipped.push(`skipped: sanitizers of ${compiler.name} needs ${compiler.package}`)
      continue
    }
    const run = (file, environment) => jobs.push({ file, label: `${file} (${compiler.name})`, environment })
    run('sanitize/kernels.sanitize.ts', { GLOWPLUG_COMPILER: compiler.name })
    // What Node frees is its own affair where it is ended in the middle of something.
    for (const [file, leaks] of [
      ['native/addon.test.ts', 1],
      ['native/workers.test.ts', 0],
      ['native/threads.test.ts', 0],
    ])
      run(file, {
        GLOWPLUG_SANITIZE: flags + compiler.extra,
        CC: `env -u LD_PRELOAD ${compiler.name}`,
        LD_PRELOAD: libraries.join(':'),
        ASAN_OPTIONS: `detect_leaks=${leaks}`,
        LSAN_OPTIONS: `suppressions=${join(here, 'leaks.txt')}:print_suppressions=0`,
        UBSAN_OPTIONS: 'print_stacktrace=1',
      })
  }
  return { jobs, skipped }
}
