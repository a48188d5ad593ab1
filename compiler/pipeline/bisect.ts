/**
 * OP-65. The smallest number of rewrites after which a compilation is wrong: compile with `maximumApplications: n` and say whether the
 * result is good. Undefined when it is good even with `total`. Assumes that it is good with none, and bad from the answer on.
 */
export async function firstBadApplication(
  total: number,
  isGood: (maximumApplications: number) => boolean | Promise<boolean>,
): Promise<number | undefined> {
  if (await isGood(total)) return undefined
  let [good, bad] = [0, total]
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2)
    if (await isGood(middle)) good = middle
    else bad = middle
  }
  return bad
}
