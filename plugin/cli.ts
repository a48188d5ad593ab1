import { cac } from 'cac'
import { budgetNames } from './budgets.ts'
import { allocate } from './cli/allocate.ts'
import { archive } from './cli/archive.ts'
import { bisect } from './cli/bisect.ts'
import { build } from './cli/build.ts'
import { check } from './cli/check.ts'
import { debug } from './cli/debug.ts'
import { exportModel } from './cli/export.ts'
import { importModel } from './cli/import.ts'
import { log } from './cli/log.ts'
import { passes } from './cli/passes.ts'
import { plan } from './cli/plan.ts'
import { print } from './cli/print.ts'
import { probe } from './cli/probe.ts'
import { replay } from './cli/replay.ts'
import { reproduce } from './cli/reproduce.ts'
import { run } from './cli/run.ts'
import { stats } from './cli/stats.ts'
import { explain, nearest, UsageError } from './cli/terminal.ts'
import { trace } from './cli/trace.ts'
import { tune } from './cli/tune.ts'

declare const GLOWPLUG_VERSION: string

function createCommands() {
  const commands = cac('glowplug')
  const json = ['--json', 'Print the result as JSON'] as const
  const direct = ['--no-winograd', 'Direct sums in every convolution: slower, and rounded as their definition is'] as const
  const precision = [
    '--precision <name>',
    'bf16: operands of products and convolutions may be rounded to it (default: f32)',
  ] as const
  const tuned = ['--no-tuned', "Pass over what 'glowplug tune' measured"] as const
  const model = ['--model <name>', 'Which model, where the file has several'] as const
  const target = [
    '--target <name>',
    'auto (default: native where there is a C compiler, and wasm), or a list with commas in order of preference',
  ] as const
  const entry = ['--entry <name>', 'Which entry, where the model has several'] as const
  const dim = [
    '--dim <name=size>',
    'Size of a symbolic dimension; name=32,64 makes an entry for each; repeat it for each dimension',
  ] as const
  const constant = [
    '--constant <input=value>',
    'Value of an input that callers shall not pass; repeat it for each input',
  ] as const

  const limit = [
    '--limit <value=number>',
    'The most there may be of what data decides, such as rows of a NonZero; repeat it for each value',
  ] as const

  const method = ['--method <name>', 'tables, copies, stages, unlike or graph (default: what suits the model)'] as const
  const contexts = ['--contexts <number>', 'Requests under way at once on a card (default: 1)'] as const
  const map = ['--map <file>', 'Where nodes are, as a JSON file says: parts, their nodes, cards and cores'] as const
  const earlier = ['--plan <file>', "Where nodes are, as an earlier 'plan --out' says"] as const

  type Command = ReturnType<typeof commands.command>
  /** What the tools take: a model file, an ONNX file or an archive; one target; inputs, or none. */
  const tool = (command: Command, { runs }: { readonly runs: boolean }): Command => {
    command
      .option('--target <name>', 'wasm (default) or another target')
      .option('--level <name>', 'Which level, where the target has several')
      .option(...direct)
      .option(...tuned)
      .option(...precision)
      .option(...model)
      .option(...entry)
      .option(...dim)
      .option(...constant)
      .option(...limit)
    if (runs)
      command
        .option('--input <name=file>', 'Elements of an input; repeat it for each input. Default: random ones')
        .option('--shape <name=sizes>', 'Sizes of an input, as tokens=2,20, where its length does not tell them')
        .option('--seed <number>', 'Draws the random inputs; default 1')
    return command.option(...json)
  }
  const tolerance = (command: Command): Command =>
    command
      .option('--atol <number>', 'Absolute difference that counts as equal; default: what rounding explains')
      .option('--rtol <number>', 'The same, relative to what is expected')

  commands
    .command('build <file>', 'Compile a model to a folder that can be imported and runs with Node alone')
    .option('--out <folder>', 'Folder to write to')
    .option('--memory <bytes>', 'Fail where an entry needs more for activations, inputs and outputs')
    .option('--recompute', 'Make cheap values again rather than keep them, where --memory asks for it')
    .option(...direct)
    .option(...tuned)
    .option(...precision)
    .option('--weights <bytes>', 'Fail where the weights are more')
    .option('--code <bytes>', 'Fail where the code of a target is more')
    .option('--trace', 'Native code tells when each of its kernels ended, for traces of servers: a little slower')
    .option('--platform <name>', 'Place it over several cards and serve it: a JSON file, or six-cards, six-cards-10, six-cards-8')
    .option(...method)
    .option(...contexts)
    .option(...map)
    .option(...earlier)
    .option(...target)
    .option(...model)
    .option(...json)
    .example('glowplug build face.model.ts --out dist/face')
    .example('glowplug build dlrm.model.ts --platform six-cards --out dist/dlrm')
    .action(build)
  commands
    .command('run <source>', 'Run a model file, or a folder that build wrote, on raw little-endian tensors')
    .option('--input <name=file>', 'Elements of an input; repeat it for each input')
    .option('--shape <name=sizes>', 'Sizes of an input, as tokens=2,20, where several of its dimensions have several sizes')
    .option('--out <folder>', 'Write each output to <name>.bin there')
    .option('--threads <number>', 'Threads that run it together, where it is native code (default: 1)')
    .option(
      '--steps <number>',
      'Runs of one session on the same inputs, where the model keeps state; outputs are those of the last (default: 1)',
    )
    .option(...tuned)
    .option(...target)
    .option(...model)
    .option(...entry)
    .example('glowplug run face.model.ts --input image=image.bin --out results')
    .action(run)
  commands
    .command('check <...files>', 'Report what is wrong with model files, without compiling them')
    .option(...json)
    .action(check)
  commands
    .command('print <file>', 'Show a stage of the compilation as text')
    .option('--stage <name>', 'graph, optimised, lowered, layout, kernels, instructions, memory or c', { default: 'graph' })
    .option('--print-after <pass>', 'The graph after each run of a pass')
    .option('--print-changed', 'The graph after each pass that changed it')
    .option('--diff <pass>', 'What each run of a pass changed')
    .option('--stop-after <name>', 'Stop after a pass or a stage, and print what there is')
    .option('--reasons', 'With --stage kernels: where each value lies and why, with the costs compared')
    .option('--split <parts>', 'Large products and batches computed in so many parts')
    .option('--dot', 'The stage as a drawing for Graphviz: graph, optimised, lowered, layout or kernels')
    .option('--timing', 'Milliseconds of each pass and stage')
    .option('--verify', 'Verify after every pass')
    .option('--target <name>', 'wasm (default) or another target')
    .option('--level <name>', 'Which level, where the target has several')
    .option(...direct)
    .option(...tuned)
    .option(...precision)
    .option(...model)
    .option(...entry)
    .option(...dim)
    .option(...constant)
    .option(...limit)
    .example('glowplug print face.model.ts --stage memory')
    .example('glowplug print face.model.ts --diff fold-affine')
    .action(print)
  commands
    .command('import <file>', 'Turn an ONNX model into a model file and its weights')
    .option('--out <folder>', 'Folder to write <name>.model.ts and <name>.safetensors to (default: where you are)')
    .option('--name <name>', "Name of the files and of the model (default: the ONNX file's own)")
    .option(...dim)
    .option(...constant)
    .option(...limit)
    .option(
      '--state <in=out>',
      "An input that sessions carry, and the output that it becomes; repeat it for each, or 'auto' finds them by name",
    )
    .option('--force', 'Overwrite files that are there')
    .option(...json)
    .example('glowplug import detector.onnx')
    .example('glowplug import llama.onnx --out src/models --dim batch=1 --dim seq=64,256')
    .example('glowplug import speech.onnx --constant sr=16000')
    .example('glowplug import decoder.onnx --state auto')
    .action(importModel)
  commands
    .command('export <file>', 'Turn an entry of a model into an ONNX file that computes the same')
    .option('--onnx <file>', 'File to write')
    .option('--opset <version>', 'Version of the operators, 17 to 23 (default: 21)')
    .option('--force', 'Overwrite the file when it is there')
    .option(...model)
    .option(...entry)
    .option(...json)
    .example('glowplug export face.model.ts --onnx face.onnx')
    .action(exportModel)
  tool(commands.command('log <source>', 'Show what every pass did, and what became of a node'), { runs: false })
    .option('--pass <name>', 'Every rewrite of one pass')
    .option(
      '--node <which>',
      '%12, lowered:%12, a place such as face.model.ts:30, an op, or the name of an input, output or weight',
    )
    .example('glowplug log face.model.ts')
    .example('glowplug log face.model.ts --node face.model.ts:30')
    .action(log)
  tool(commands.command('stats <source>', 'Show count, time, work and bytes of each kind of op'), { runs: true })
    .option('--stage <name>', 'kernels (default) as the target runs them, or graph, optimised, lowered, layout node by node')
    .option('--runs <number>', 'How often everything is run; medians count')
    .option('--kernels', 'Each kernel by itself too')
    .example('glowplug stats face.model.ts --target native --kernels')
    .action(stats)
  commands
    .command('plan <file>', 'Place a model over a platform of several cards, and model how it serves')
    .option('--platform <name>', 'A JSON file, or six-cards (default), six-cards-10, six-cards-8')
    .option(...method)
    .option(...contexts)
    .option('--rate <number>', 'Serve so many requests a second, in a model')
    .option('--requests <number>', 'How many of them (default: 10000)')
    .option('--seed <number>', 'Of their arrivals (default: 1)')
    .option('--batch <number>', 'Requests that go together at most')
    .option('--delay <microseconds>', 'How long a batch waits for more (default: 1000)')
    .option('--fault <what>', 'hang:1@0.5 for card 1 after half a second; or link, memory, throttle, firmware; repeat it')
    .option('--trace <file>', 'Write what happens as a trace for Perfetto or chrome://tracing')
    .option('--grow <factor>', 'What the model would need if its tables were so many times as many')
    .option('--objective <name>', 'What graph makes short: throughput (default) or latency')
    .option(...map)
    .option(...earlier)
    .option('--out <file>', 'Write the plan as JSON, for --plan')
    .option('--dot <file>', 'Write a drawing of the plan for Graphviz')
    .option('--tables', 'Each table by itself too')
    .option(...model)
    .option(...entry)
    .option(...dim)
    .option(...json)
    .example('glowplug plan dlrm.model.ts --platform six-cards --rate 20000')
    .action(plan)
  commands
    .command('probe', 'Measure this machine, and describe it as a platform for plan')
    .option('--cards <number>', 'Cards to divide it into (default: one for each processor and its threads, six at most)')
    .option('--threads <number>', 'Threads of a card (default: 1)')
    .option('--device <name>', 'worker (default) or process')
    .option('--out <file>', 'JSON file to write')
    .option(...json)
    .example('glowplug probe --out machine.json')
    .action(probe)
  tolerance(tool(commands.command('bisect <source>', 'Find the rewrite that makes a model wrong'), { runs: true }))
    .example('glowplug bisect face.model.ts --input image=image.bin')
    .action(bisect)
  tolerance(tool(commands.command('debug <source>', 'Compare a target with the interpreter, layer by layer'), { runs: true }))
    .option('--mode <name>', 'cumulative: after the layers before; independent: on exact inputs; both (default)')
    .option('--all', 'Go on after the first layer that is wrong, and list all')
    .option('--out <file>', 'Store the first wrong layer and its inputs in an archive')
    .example('glowplug debug face.model.ts --target native --out layer.safetensors')
    .action(debug)
  tool(commands.command('archive <source>', 'Put a model with its weights and one request into one file'), { runs: true })
    .option('--out <file>', 'File to write, such as request.safetensors')
    .option('--force', 'Overwrite the file when it is there')
    .example('glowplug archive face.model.ts --input image=image.bin --out request.safetensors')
    .action(archive)
  tolerance(
    commands
      .command('reproduce <archive>', 'Run an archive: a request, one layer, or a compilation that failed')
      .option('--target <name>', 'Another target than the archive names')
      .option('--level <name>', 'Which level, where the target has several')
      .option(...direct)
      .option(...precision)
      .option('--latency <runs>', 'Measure the time of so many runs')
      .option(...json),
  )
    .example('glowplug reproduce request.safetensors --target native --latency 1000')
    .action(reproduce)
  commands
    .command('replay <request> <bundle>', 'Run a request again that failed on a server and was kept by keepFailed()')
    .option('--device <name>', 'process (default), which survives what crashes, or worker')
    .option('--target <name>', 'Another target than the first of the bundle')
    .option(...json)
    .example('glowplug replay failed/20260102T030405678Z-77-12 dist/face')
    .action(replay)
  commands
    .command('trace <action> <before> <after>', 'compare: what takes longer, and what less, in one trace than in another')
    .option(...json)
    .example('glowplug trace compare before.json after.json')
    .action(trace)
  commands
    .command('tune <file>', 'Measure which way of making each kernel is the fastest here, for later builds')
    .option('--target <name>', 'native (default) or another target')
    .option('--level <name>', 'Which level, where the target has several; this machine must run it')
    .option('--seconds <number>', 'How long to measure at most, beside compiling; default 60')
    .option('--threads <number>', 'Threads that run each kernel together, where it is native code (default: 1)')
    .option('--dry-run', 'Write nothing')
    .option(...direct)
    .option(...precision)
    .option(...model)
    .option(...entry)
    .option(...json)
    .example('glowplug tune face.model.ts')
    .action(tune)
  commands
    .command('passes', 'List the passes of the compiler in order')
    .option(...json)
    .action(passes)
  commands
    .command(
      'allocate <file>',
      'Give each buffer of a CSV file (id,lower,upper,size) an offset, so that no two live together overlap',
    )
    .option('--capacity <bytes>', 'Bytes that all buffers must fit into')
    .option('--out <file>', 'CSV file to write, with a column offset (default: standard output)')
    .example('glowplug allocate buffers.csv --capacity 1048576 --out placed.csv')
    .action(allocate)
  commands.help()
  commands.version(GLOWPLUG_VERSION)
  return commands
}

/** Options as cac read them, after checking that the command knows each: a mistyped option must not be ignored. */
function checkUsage(commands: ReturnType<typeof createCommands>): void {
  const { matchedCommand, args, options } = commands
  const hint = "see 'glowplug --help'"
  if (!matchedCommand) {
    const names = commands.commands.map(({ name }) => name)
    throw new UsageError(
      args[0] === undefined
        ? `no command was given; commands are ${names.join(', ')}`
        : `there is no command '${args[0]}'${nearest(args[0], names)}`,
      hint,
    )
  }
  const known = [...matchedCommand.options, ...commands.globalCommand.options]
  const more = `see 'glowplug ${matchedCommand.name} --help'`
  const spelled = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  for (const [name, value] of Object.entries(options)) {
    if (name === '--') continue
    const option = known.find(({ names }) => names.includes(name))
    // A negative number is read as an option, and leaves the one before it without a value.
    const lacking = /^\d+$/.test(name)
      ? known.find((each) => each.required && typeof options[each.name] === 'boolean')
      : undefined
    if (!option && lacking)
      throw new UsageError(
        `${lacking.rawName} takes a whole number of at least 0${
          (budgetNames as readonly string[]).includes(lacking.name) ? ': a budget is a whole number of bytes' : ''
        }`,
        more,
      )
    if (!option)
      throw new UsageError(
        `'${matchedCommand.name}' has no option --${spelled(name)}${nearest(
          spelled(name),
          known.map((each) => spelled(each.name)),
        )}`,
        more,
      )
    if (option.required && [value].flat().some((each) => typeof each === 'boolean'))
      throw new UsageError(`--${spelled(name)} needs a value: ${option.rawName}`, more)
    const single = !['input', 'shape', 'dim', 'constant', 'limit', 'state', 'fault'].includes(name)
    if (single && Array.isArray(value)) throw new UsageError(`--${spelled(name)} was given ${value.length} times`, more)
  }
  const minimum = matchedCommand.args.filter(({ required }) => required).length
  if (args.length < minimum)
    throw new UsageError(`'${matchedCommand.name}' needs ${matchedCommand.args.map(({ value }) => `<${value}>`).join(' ')}`, more)
  const surplus = matchedCommand.args.some(({ variadic }) => variadic) ? undefined : args[matchedCommand.args.length]
  if (surplus !== undefined) throw new UsageError(`'${matchedCommand.name}' does not know what to do with '${surplus}'`, more)
}

/** Runs a command line, such as `process.argv`. Resolves to the exit status: 0, 1 where something is wrong with a model or a file, 2 for wrong usage. */
export async function main(argv: readonly string[]): Promise<number> {
  const commands = createCommands()
  try {
    const { options } = commands.parse([...argv], { run: false })
    if (options.help || options.version) return 0
    checkUsage(commands)
    return (await commands.runMatchedCommand()) ?? 0
  } catch (error) {
    return explain(error)
  }
}
