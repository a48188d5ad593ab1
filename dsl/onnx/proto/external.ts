import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { reject } from '../../../compiler/graph/index.ts'
import { quote } from '../quote.ts'

/** A file that holds elements of a model outside the model's own file. */
export interface ExternalFile {
  /** Bytes. */
  readonly size: number
  read(offset: number, length: number): Uint8Array
}

/** Finds the file of an external tensor. Throws ModelProblem where there is none. */
export type ExternalData = (location: string) => ExternalFile

const chunk = 2 ** 30

/** External data beside a model: files in its folder or below, never elsewhere, whatever the model says and wherever links lead. */
export function externalFolder(folder: string): ExternalData {
  const known = new Map<string, ExternalFile>()
  return (location) => {
    const found = known.get(location) ?? openExternal(folder, location)
    known.set(location, found)
    return found
  }
}

/** The answer where external data were not expected. */
export const noExternalData: ExternalData = (location) =>
  reject('onnx-malformed', `the elements lie in the file ${quote(location)}, and it was not said in which folder that is`)

function openExternal(folder: string, location: string): ExternalFile {
  const parts = location.split('/').filter((part) => part !== '.')
  const outside = parts.length === 0 || parts.some((part) => part === '' || part === '..') || /[\\:\0]/.test(location)
  if (outside)
    reject('onnx-malformed', `external data at ${quote(location)}: the location must be a file in the model's folder or below`)
  const named = join(folder, ...parts)
  let path: string
  try {
    path = realpathSync(named)
    const home = realpathSync(folder)
    if (!path.startsWith(home.endsWith(sep) ? home : home + sep))
      reject(
        'onnx-malformed',
        `external data at ${quote(location)}: the link leads out of the model's folder; put a copy in its place`,
      )
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === undefined || code.startsWith('onnx')) throw error
    return reject('onnx-malformed', `external data at ${quote(location)} cannot be read: ${code}; put the file beside the model`)
  }
  const size = withFile(path, location, (fd) => fstatSync(fd).size)
  return {
    size,
    read: (offset, length) =>
      withFile(path, location, (fd) => {
        const bytes = new Uint8Array(length)
        for (let done = 0; done < length; ) {
          const count = readSync(fd, bytes, done, Math.min(chunk, length - done), offset + done)
          if (count === 0) reject('onnx-malformed', `external data at ${quote(location)}: the file has become shorter`)
          done += count
        }
        return bytes
      }),
  }
}

function withFile<T>(path: string, location: string, body: (fd: number) => T): T {
  let fd: number | undefined
  try {
    // Opening a pipe could wait for ever.
    if (!statSync(path).isFile()) reject('onnx-malformed', `external data at ${quote(location)}: this is not a file`)
    fd = openSync(path, 'r')
    return body(fd)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === undefined || code.startsWith('onnx')) throw error
    return reject('onnx-malformed', `external data at ${quote(location)} cannot be read: ${code}`)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
