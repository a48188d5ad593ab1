// The C of the addon, which is the same for every model.
import { teamHeader } from '../c/team.ts'
import addon from './addon/addon.c?text'
import checksum from './addon/checksum.c?text'
import checksumHeader from './addon/checksum.h?text'
import code from './addon/code.h?text'
import crew from './addon/crew.c?text'
import crewHeader from './addon/crew.h?text'
import election from './addon/election.c?text'
import extensions from './addon/extensions.c?text'
import extensionsHeader from './addon/extensions.h?text'
import memory from './addon/memory.c?text'
import memoryHeader from './addon/memory.h?text'
import nodeApi from './addon/node_api.h?text'
import pool from './addon/pool.c?text'
import poolHeader from './addon/pool.h?text'
import processors from './addon/processors.c?text'
import processorsHeader from './addon/processors.h?text'
import shared from './addon/shared.c?text'
import sharedHeader from './addon/shared.h?text'
import sync from './addon/sync.h?text'
import system from './addon/system.h?text'
import ticks from './addon/ticks.h?text'

/** What generated code says about itself; stands at its end. */
export const codeHeader = code

/** By file name. */
export const addonSources: Readonly<Record<string, string>> = {
  'addon.c': addon,
  'checksum.c': checksum,
  'crew.c': crew,
  'election.c': election,
  'extensions.c': extensions,
  'memory.c': memory,
  'pool.c': pool,
  'processors.c': processors,
  'shared.c': shared,
  'checksum.h': checksumHeader,
  'code.h': code,
  'crew.h': crewHeader,
  'extensions.h': extensionsHeader,
  'memory.h': memoryHeader,
  'node_api.h': nodeApi,
  'pool.h': poolHeader,
  'processors.h': processorsHeader,
  'shared.h': sharedHeader,
  'sync.h': sync,
  'system.h': system,
  'team.h': teamHeader,
  'ticks.h': ticks,
}

/** Everything that an addon may ask of whoever loads it is declared in these. */
export const declarations = `${nodeApi}${system}`
