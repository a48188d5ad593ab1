import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { InvariantError } from '../../compiler/graph/index.ts'
import { candidatesFor, findExecutable, splitCommand } from '../../targets/native/candidates.ts'
import { demandsOf } from '../../targets/native/elf.ts'
import { CompilerMissing, compilerFingerprint, findCompiler, nativeAvailable, nativeTargets } from '../../targets/native/index.ts'
import { platforms } from '../../targets/native/levels.ts'
import { compileAddon } from '../../targets/native/toolchain.ts'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { programOf, together } from '../support/kernelProgram.ts'
import { compileProgram, compilerCalled, folder, levels, platform, writeFile } from './harness.ts'

/** Runs with other variables and gives back those that were. */
async function withEnvironment<T>(variables: Readonly<Record<string, string | undefined>>, body: () => Promise<T>): Promise<T> {
  const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]))
  const set = (values: Readonly<Record<string, string | undefined>>) => {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
  set(variables)
  try {
    return await body()
  } finally {
    set(before)
  }
}

/** A folder of commands: scripts of one line, or links to real ones. */
function pathWith(commands: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(folder, 'path-'))
  for (const [name, text] of Object.entries(commands)) {
    if (text.startsWith('/')) symlinkSync(text, join(path, name))
    else {
      writeFileSync(join(path, name), `#!/bin/sh\n${text}\n`)
      chmodSync(join(path, name), 0o755)
    }
  }
  return path
}

const machine = platform === 'linux-x64' ? '__x86_64__' : '__aarch64__'
const linux = [machine, '__linux__', '__LP64__', '__ELF__']
/** A compiler that knows its macros and can do nothing else. */
const claims = (macros: Readonly<Record<string, string>>, names: readonly string[] = linux) =>
  [...Object.entries(macros), ...names.map((name) => [name, '1'])]
    .map(([name, value]) => `echo '#define ${name} ${value}'`)
    .join('\n')
const gcc = (major: number) => ({ __GNUC__: `${major}`, __GNUC_MINOR__: '4', __GNUC_PATCHLEVEL__: '1' })
const clang = (major: number) => ({
  ...gcc(4),
  __clang__: '1',
  __clang_major__: `${major}`,
  __clang_minor__: '0',
  __clang_patchlevel__: '6',
})
const none = { CC: undefined, CC_X86_64: undefined, CC_AARCH64: undefined }

async function refusal(variables: Readonly<Record<string, string | undefined>>, of = platform): Promise<string> {
  try {
    await withEnvironment({ ...none, ...variables }, () => findCompiler(of))
  } catch (error) {
    assert.instance(error, CompilerMissing)
    return (error as Error).message
  }
  throw new Error('a compiler was found')
}

test('without any compiler the error says what was looked for and what to do', async () => {
  const message = await refusal({ PATH: pathWith({}) })
  assert.is(
    message,
    [
      `no C compiler for ${platform}`,
      '  cc was not found',
      '  clang was not found',
      '  gcc was not found',
      'install gcc 10 or clang 14 or later (Debian: gcc; Alpine: gcc binutils), or name one in $CC',
    ].join('\n'),
  )
  const available = await withEnvironment({ ...none, PATH: pathWith({}) }, nativeAvailable)
  assert.equal(available, { ok: false, reason: message })
})

test('compilers that are too old, for another machine, no compilers, or without a linker are passed over, with the reason', async () => {
  const message = await refusal({
    PATH: pathWith({
      cc: claims(gcc(9)),
      clang: `${claims(clang(15))}\ncase "$*" in *-shared*) echo 'ld: not found' >&2; exit 1;; esac`,
      gcc: 'echo hello',
    }),
  })
  assert.match(message, '  cc is gcc 9.4.1; 10 is the oldest that will do\n')
  assert.match(message, '  clang is clang 15.0.6 but cannot link: ld: not found\n')
  assert.match(message, '  gcc is neither gcc nor clang\n')
  const strange = await refusal({
    PATH: pathWith({
      cc: claims(gcc(12), ['__linux__', '__ELF__', '__s390x__', '__LP64__']),
      clang: claims(clang(13)),
      gcc: claims(gcc(12), [machine, '__linux__', '__ELF__']),
    }),
  })
  assert.match(strange, '  cc compiles for linux on another processor\n')
  assert.match(strange, '  clang is clang 13.0.6; 14 is the oldest that will do\n')
  assert.match(strange, /gcc compiles for linux on \w+ with 32-bit addresses\n/)
})

test('a compiler named by $CC is taken with its arguments, or refused, and none instead of it', async () => {
  const real = findExecutable('gcc') ?? findExecutable('clang')
  if (!real) return console.log('skipped: a compiler named by $CC needs a C compiler')
  const named = await withEnvironment({ ...none, CC: `"${real}" -DX='a b'` }, () => findCompiler(platform))
  assert.equal(named.command, [real, '-DX=a b'])
  assert.match(await refusal({ CC: '/nonexistent/cc -m64' }), '  $CC (/nonexistent/cc -m64) was not found\n')
  assert.match(await refusal({ CC: `${pathWith({ old: claims(gcc(8)) })}/old` }), 'is gcc 8.4.1')
  // One for another platform was not meant for this one.
  const foreign = `${pathWith({ cross: claims(gcc(12), ['__linux__', '__ELF__', '__LP64__', '__s390x__']) })}/cross`
  const found = await withEnvironment({ ...none, CC: foreign }, () => findCompiler(platform))
  assert.is.not(found.command[0], foreign)
  const own = await withEnvironment({ ...none, CC: foreign, [platforms[platform].variable]: real }, () => findCompiler(platform))
  assert.is(own.command[0], real)
})

test('another platform has compilers and a variable of its own', async () => {
  const other = platform === 'linux-x64' ? 'linux-arm64' : 'linux-x64'
  const { triple, variable } = platforms[other]
  const message = await refusal({ PATH: pathWith({ cc: claims(gcc(12)) }) }, other)
  assert.match(message, `  ${triple}-gcc was not found\n`)
  assert.match(message, `  clang --target=${triple} was not found\n`)
  assert.match(message, `or name one in $${variable}`)
  if (!findExecutable(`${triple}-gcc`)) return console.log(`skipped: addons for ${other} needs ${triple}-gcc`)
  for (const CC of [undefined, `${triple}-gcc`]) {
    const targets = await withEnvironment({ ...none, CC }, () => nativeTargets(other))
    assert.equal(
      targets.map(({ level }) => level),
      platforms[other].levels.map(({ name }) => name),
    )
  }
})

test('levels come with the most demanding first, and emit addons for their platform', async () => {
  const targets = await nativeTargets('linux-x64').catch(() => [])
  if (targets.length === 0) return console.log('skipped: levels of x64 needs a compiler for it')
  assert.equal(
    targets.map(({ name, level }) => [name, level]),
    [
      ['native', 'x86-64-v4'],
      ['native', 'x86-64-v3'],
    ],
  )
  const [suite] = anchoredSuites(3, 0.1)
  const program = programOf(suite!.cases, platforms['linux-x64'].levels[0]!.level)
  const code = await targets[0]!.emit('named', [{ entry: 'main', export: 'entry0', program }])
  const { bytes, source, toolchain, ...rest } = code
  assert.equal(rest, {
    kind: 'addon',
    level: 'x86-64-v4',
    platform: { os: 'linux', arch: 'x64', libc: 'glibc' },
    extension: 'node',
  })
  assert.match(source, 'static int entry0(')
  assert.match(toolchain['native-linux-x64']!, /^(gcc|clang) \d+\.\d+\.\d+, .*\d/)
  assert.ok(!Buffer.from(bytes).includes(tmpdir()))
})

test('the fingerprint changes with the variables, the path and the files, and starts nothing', async () => {
  const path = pathWith({ cc: `touch ${join(folder, 'was-started')}` })
  const print = (variables: Readonly<Record<string, string | undefined>>) =>
    withEnvironment({ ...none, PATH: path, ...variables }, async () => compilerFingerprint())
  const first = await print({})
  assert.is(await print({}), first)
  assert.is.not(await print({ CC: 'cc' }), first)
  assert.is.not(await print({ PATH: pathWith({}) }), first)
  utimesSync(join(path, 'cc'), 1e9, 1e9)
  assert.is.not(await print({}), first)
  assert.ok(!readdirSync(folder).includes('was-started'))
  assert.is(compilerFingerprint('sunos-sparc'), '')
})

test('variables are split as a shell would, and commands are files that may be executed', () => {
  assert.equal(splitCommand(`  ccache   gcc-12 '-DA=b c' -D"E F"=g  `), ['ccache', 'gcc-12', '-DA=b c', '-DE F=g'])
  const path = pathWith({ tool: 'true' })
  writeFileSync(join(path, 'data'), '')
  mkdirSync(join(path, 'folder'))
  const find = (name: string) => findExecutable(name, { PATH: `relative:${path}` })
  assert.is(find('tool'), join(path, 'tool'))
  for (const name of ['data', 'folder', 'missing']) assert.is(find(name), undefined)
  assert.is(
    findExecutable('tool', { PATH: `/${'x'.repeat(300)}:${path}` }),
    join(path, 'tool'),
    'behind a folder that cannot be looked into',
  )
  assert.is(candidatesFor(platform, { PATH: path, CC: '  ' })[0]!.from, 'cc')
})

const compilers = (await Promise.all(['gcc', 'clang'].map(compilerCalled))).flatMap((compiler) => compiler ?? [])
const compilersFound = compilers.map(({ family }) => family)
for (const family of ['gcc', 'clang'])
  if (!compilersFound.includes(family as 'gcc')) console.log(`skipped: symbols of addons by ${family} needs ${family}`)

/** What an addon may ask of Node and of a C library; nothing here is younger than GLIBC_2.17, and no version is asked for. */
const known =
  /^(napi_\w+|mem(cpy|move|set|cmp)|strlen|malloc|calloc|realloc|free|__errno_location|syscall|getpid|getppid|ftruncate|sched_getcpu|open|read|close|lseek|mmap|munmap|pthread_(create|sigmask|attr_(init|destroy|setstacksize|setdetachstate))|dl(open|sym|close)|dl_iterate_phdr)$/

for (const compiler of compilers) {
  test(`addons by ${compiler.family} ask for no versions and no libraries, and show three symbols (GLIBC_2.28)`, async () => {
    const suite = together('some', anchoredSuites(5, 0.03))
    for (const level of levels()) {
      const { bytes } = await compileProgram(programOf(suite.cases, level.level), level, compiler)
      const demands = demandsOf(bytes)
      assert.equal(demands.libraries, [])
      assert.is(demands.versions, false)
      assert.ok(demands.symbols.length > 10)
      for (const symbol of demands.symbols) assert.match(symbol, known)
      if (!findExecutable('readelf')) return console.log('skipped: symbols as readelf sees them needs readelf')
      const path = writeFile(bytes, 'node')
      const listing = (...flags: string[]) => execFileSync('readelf', ['-W', ...flags, path], { encoding: 'utf8', stdio: 'pipe' })
      const symbols = [...listing('--dyn-syms').matchAll(/ (UND|\d+) (\w[\w@.]*)$/gm)].map(([, where, name]) => ({
        where,
        name: name!,
      }))
      assert.equal(
        symbols
          .filter(({ where }) => where === 'UND')
          .map(({ name }) => name)
          .sort(),
        demands.symbols,
      )
      assert.equal(
        symbols
          .filter(({ where }) => where !== 'UND')
          .map(({ name }) => name)
          .sort(),
        ['glowplug_pool_v1', 'napi_register_module_v1', 'node_api_module_get_api_version_v1'],
      )
      const dynamic = listing('-d')
      assert.not.match(dynamic, /NEEDED|RPATH|RUNPATH|TEXTREL/)
      assert.match(dynamic, 'NODELETE')
      assert.not.match(listing('-l'), /GNU_STACK.*RWE/)
      assert.not.match(listing('-S'), /build-id|\.comment|\.symtab/)
    }
  })

  test(`equal programs give equal bytes by ${compiler.family}, in whatever folder and order`, async () => {
    const [level] = levels()
    const program = programOf(anchoredSuites(7, 0.02)[0]!.cases, level!.level)
    const [first, second] = await Promise.all([1, 2].map(() => compileProgram(program, level!, compiler)))
    assert.equal(first!.bytes, second!.bytes)
    const elsewhere = mkdtempSync(join(folder, 'elsewhere-'))
    const third = await withEnvironment({ TMPDIR: elsewhere }, () => compileProgram(program, level!, compiler))
    assert.equal(third.bytes, first!.bytes)
    assert.equal(readdirSync(elsewhere), [])
    rmSync(elsewhere, { recursive: true })
  })

  test(`C that ${compiler.family} refuses, or that needs what nobody provides, is a broken promise of ours, in its words`, async () => {
    const level = { ...levels()[0]!, flags: [] }
    const caught = async (source: string) => {
      try {
        await compileAddon(source, level, compiler)
      } catch (error) {
        assert.instance(error, InvariantError)
        return (error as Error).message
      }
      throw new Error('it compiled')
    }
    assert.match(await caught('int f(void) { return missing; }'), /rejects the generated C[\s\S]*missing/)
    const entries = `double sin(double);
static int f(char *c, char *m, char *a) { (void)c; (void)a; return (int)sin(*(double *)m); }
struct glowplug_entry { int (*call)(char *, char *, char *); unsigned long constants, mutable, activations; };
const struct glowplug_entry glowplug_entries[] = {{f, 0, 8, 0}};
const unsigned glowplug_entry_count = 1;
const char glowplug_needs[] = "";`
    assert.is(await caught(entries), 'the generated C calls sin, which no process provides')
  })
}

test.run()
