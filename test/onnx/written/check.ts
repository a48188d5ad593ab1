import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = process.env.GLOWPLUG_ROOT!

/** Model files by name, before the compiler, strict as in this repository, and the linter and formatter with its settings. Throws what they say. */
export function checkSources(sources: ReadonlyMap<string, string>): void {
  const folder = mkdtempSync(join(tmpdir(), 'checked-'))
  try {
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(root, join(folder, 'node_modules/glowplug'))
    cpSync(join(root, 'biome.json'), join(folder, 'biome.json'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
    const compilerOptions = { paths: { glowplug: [join(root, 'dsl/index.ts')] }, typeRoots: [join(root, 'node_modules/@types')] }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.model.ts'], exclude: [] }),
    )
    for (const [name, source] of sources) writeFileSync(join(folder, `${name}.model.ts`), source)
    const run = (tool: string, ...args: string[]): string => {
      try {
        execFileSync(process.execPath, [join(root, 'node_modules', tool), ...args], { cwd: folder, stdio: 'pipe' })
        return ''
      } catch (error) {
        return String((error as { stdout?: unknown }).stdout) + String((error as { stderr?: unknown }).stderr)
      }
    }
    const found = run(
      '@biomejs/biome/bin/biome',
      'check',
      '--max-diagnostics=3',
      ...[...sources.keys()].map((name) => `${name}.model.ts`),
    )
    if (found) throw new Error(found)
    // Files of the repository itself are checked elsewhere.
    const errors = run('typescript/bin/tsc', '-p', '.')
      .split('\n')
      .filter((line) => /^[\w]+\.model\.ts|RangeError/.test(line))
    if (errors.length > 0) throw new Error(errors.slice(0, 5).join('\n'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
