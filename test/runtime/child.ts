// The loader as it is shipped, in processes of its own.
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Puts the loader into a folder, as `runtime.mjs`, and returns its bytes. */
export function shipLoader(folder: string): Buffer {
  const loader = readFileSync(join(process.env.GLOWPLUG_ROOT!, 'dist/runtime.js'))
  writeFileSync(join(folder, 'runtime.mjs'), loader)
  return loader
}

/** What a script prints as JSON, by `print`. It has to end by itself within the time, and without a word of the process. */
export function runScript(folder: string, script: string, flags: readonly string[] = []): Promise<any> {
  const text = `import { open, openSessions } from './runtime.mjs'\nconst print = (value) => console.log(JSON.stringify(value))\n${script}`
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, '--input-type=module', '-e', text], { cwd: folder, timeout: 120_000 })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    child.on('close', (status, signal) =>
      status === 0 && err === '' ? resolve(JSON.parse(out)) : reject(new Error(`status ${status} ${signal}: ${err}`)),
    )
  })
}
