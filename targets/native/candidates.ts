import { statSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { type PlatformName, platforms } from './levels.ts'

/** A command that may be a C compiler for a platform. */
export interface Candidate {
  /** How it came to be one: `$CC`, or its name. */
  readonly from: string
  /** Whether somebody asked for this one: if it is of no use, that is an error and no reason to take another. */
  readonly asked: boolean
  /** Path and arguments; undefined where there is no such file. */
  readonly command?: readonly string[]
  /** As it was given. */
  readonly text: string
}

export const hostPlatform = `${process.platform}-${process.arch}`

/** Words of a variable like `CC`: separated by spaces, and kept together by quotes. */
export const splitCommand = (text: string): string[] =>
  [...text.matchAll(/(?:[^\s'"]+|'[^']*'|"[^"]*")+/g)].map(([word]) => word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'))

/** An executable file by its name on the path, or by its path. */
export function findExecutable(name: string, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const places = name.includes('/') ? [resolve(name)] : (environment.PATH ?? '').split(':').map((folder) => `${folder}/${name}`)
  return places.find((path) => {
    if (!isAbsolute(path)) return false
    try {
      const found = statSync(path, { throwIfNoEntry: false })
      return found?.isFile() && (found.mode & 0o111) !== 0
    } catch {
      // A folder that may not be looked into has none, as for a shell.
      return false
    }
  })
}

/** Where a compiler for a platform may be, in the order of trying. Those that variables name come first. */
export function candidatesFor(platform: PlatformName, environment: NodeJS.ProcessEnv = process.env): Candidate[] {
  const { variable, triple } = platforms[platform]
  const named = [variable, 'CC'].flatMap((name): Candidate[] => {
    const text = environment[name]?.trim()
    return text ? [{ ...candidate(splitCommand(text), `$${name}`, text), asked: true }] : []
  })
  const common =
    platform === hostPlatform
      ? [['cc'], ['clang'], ['gcc']]
      : [[`${triple}-gcc`], [`${triple}-clang`], ['clang', `--target=${triple}`]]
  return [...named, ...common.map((words) => candidate(words, words.join(' '), words.join(' ')))]

  function candidate([name = '', ...rest]: readonly string[], from: string, text: string): Candidate {
    const path = findExecutable(name, environment)
    return { from, text, asked: false, ...(path ? { command: [path, ...rest] } : {}) }
  }
}

/**
 * What decides which compiler is found and what it is, without starting one: the candidates, and size, time and inode of each file. For
 * the key of a cache. Empty for a platform that has no native code.
 */
export function compilerFingerprint(platform: string = hostPlatform): string {
  if (!Object.hasOwn(platforms, platform)) return ''
  return JSON.stringify(
    candidatesFor(platform as PlatformName).map(({ from, text, command }) => {
      const found = command && statSync(command[0]!, { throwIfNoEntry: false })
      return [from, text, ...(command ?? []), ...(found ? [found.size, found.mtimeMs, found.ino] : [])]
    }),
  )
}
