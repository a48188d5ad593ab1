#!/usr/bin/env node
// The command `glowplug`. In a checkout the sources lie beside it, and dist/ is built first when they are newer.
import { existsSync } from 'node:fs'

const builder = new URL('./build.mjs', import.meta.url)
if (existsSync(builder)) await (await import(builder.href)).buildDist()
const { main } = await import(new URL('../dist/cli.js', import.meta.url).href)
// Not process.exit(): what is still to be written to a pipe would be lost.
process.exitCode = await main(process.argv)
