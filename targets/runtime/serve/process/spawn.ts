import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import program from './child.ts?source'
import { channels } from './frames.ts'

/** What every card's process runs first: the rest comes by the channel, so that no list of processes shows it. */
const bootstrap = `const{readSync}=require('fs'),read=n=>{const b=Buffer.alloc(n);for(let d=0;d<n;){const c=readSync(${channels.commands},b,d,n-d,null);if(!c)process.exit();d+=c}return b};require('vm').runInThisContext(''+read(read(4).readUInt32LE()),'glowplug card')`

export interface CardProcess {
  readonly child: ChildProcess
  /**
   * Two, since a command that is sent to a process that has just died ends a channel, and what the process had still answered would be lost with it.
   * Absent where the process could not be started, which it says itself.
   */
  readonly commands: Socket | undefined
  readonly answers: Socket | undefined
}

/**
 * Starts a process for a card, which goes on to read commands. `descriptors` follow the channels there. The process is of a group of its own, so that
 * what a terminal sends to the host's does not end it; it ends itself when the channel closes. Standard output and errors are the host's.
 */
export function spawnCard(descriptors: readonly number[]): CardProcess {
  // Those of the host may name hooks that take longer to load than the model, or a port that is taken.
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = spawn(process.execPath, ['-e', bootstrap], {
    env,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe', ...descriptors],
  })
  const streams = (child.stdio ?? []) as unknown as readonly (Socket | undefined)[]
  const commands = streams[channels.commands]
  const text = Buffer.from(program)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  commands?.write(length)
  commands?.write(text)
  return { child, commands, answers: streams[channels.answers] }
}
