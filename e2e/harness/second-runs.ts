/** Tells why a test that passed did not pass at once: a flaky test is a bug, and its first failure the trace of it. */
import type { Reporter, TestCase } from 'vitest/node'

export default class SecondRuns implements Reporter {
  onTestCaseResult(test: TestCase): void {
    if (!test.diagnostic()?.flaky) return
    for (const { stack, message } of test.result().errors ?? []) {
      console.error(`\n${test.module.relativeModuleId}: "${test.fullName}" passed only when run again. At first:\n${stack ?? message}\n`)
    }
  }
}
