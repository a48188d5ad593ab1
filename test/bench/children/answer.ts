// How a child process of the benchmark speaks to it: one task as its argument, lines of progress, one result.

/** Says what goes on, in a few words. */
export const progress = (text: string): void => void process.send?.({ progress: text })

/** Does the task that the process was started with, and ends it. What is thrown ends it too, and is what the benchmark reports. */
export async function answer<Task, Result>(work: (task: Task) => Promise<Result>): Promise<void> {
  let message: object
  try {
    message = { result: await work(JSON.parse(process.argv[2]!) as Task) }
  } catch (error) {
    const { name, message: text } = error as Error
    message = { failed: name === 'Error' ? text : `${name}: ${text}` }
  }
  process.send?.(message, () => process.exit(0))
}
