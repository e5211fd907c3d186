/** Messages about running models. */
import { defineDiagnostic } from '../diagnostic.ts';
import { type Certificate } from '../ir/proof.ts';

export const noRuntime = defineDiagnostic({
	code: 'run/no-onnxruntime',
	severity: 'error',
	explain:
		'Proofs, drift, latency and measured metrics run the model in onnxruntime, an optional dependency that is not installed.',
	message: () => 'onnxruntime-node is not installed',
	hint: () => 'npm install onnxruntime-node, or add --no-verify',
});
export const sessionFailed = defineDiagnostic({
	code: 'run/session-failed',
	severity: 'error',
	explain: 'A model that onnxruntime refuses to load or to run.',
	message: ({ which, cause }: { which: string; cause: string }) =>
		`onnxruntime cannot run the ${which} model: ${cause}`,
	hint: () => 'if the inputs do not fit, give their sizes with --shape or their values with --data',
});
export const insideBody = defineDiagnostic({
	code: 'run/inside-body',
	severity: 'error',
	explain:
		'Statistics come from extra outputs of the model, and a value inside the body of an If, Loop or Scan cannot be one: it may not be computed, or many times.',
	message: ({ value }: { value: string }) =>
		`'${value}' is made inside a body and cannot be measured from outside`,
	hint: () => 'use a metric that needs no data, such as `by l2`, or leave what lies in bodies out',
});
export const proofFailed = defineDiagnostic({
	code: 'verify/proof-failed',
	severity: 'error',
	explain:
		'The pruned model and its plain reference disagree by more than rounding. This is a mistake of prunec; nothing was written.',
	message: ({ output, error, tolerance }: { output: string; error: number; tolerance: number }) =>
		`output '${output}' differs from the reference by ${error.toExponential(2)}, more than ${tolerance.toExponential(2)}`,
	hint: () => 'please report it with the recipe and `prunec inspect --json` of the model',
});
export const certificateFailed = defineDiagnostic({
	code: 'verify/certificate-failed',
	severity: 'error',
	explain:
		'Factors stand on both sides of the proof, so they are checked apart: the error measured on them must be the one that the spectrum of the matrix, or of its outputs, says. This is a mistake of prunec; nothing was written.',
	message: ({ of, says, expected, measured }: Certificate) =>
		`the factors of '${of}' lose ${measured.toExponential(3)} where its ${says} say ${expected.toExponential(3)}`,
	hint: () => 'please report it with the recipe and `prunec inspect --json` of the model',
});
export const proofWeak = defineDiagnostic({
	code: 'verify/weak-proof',
	severity: 'warning',
	explain:
		'Removing one more unit, or the removal itself, moves no output on these inputs, so equality to the reference shows little.',
	message: ({ statement }: { statement: string }) =>
		`the proof of \`${statement}\` is weak: its negative control moved nothing`,
	hint: () => 'give real inputs with --data',
});
export const notMet = defineDiagnostic({
	code: 'verify/expectation',
	severity: 'error',
	explain: 'A promise of the recipe does not hold for the result, so nothing was written.',
	message: ({ text, value }: { text: string; value: string }) => `\`${text}\` does not hold: it is ${value}`,
	hint: () => 'add --keep-going to write it all the same',
});
export const slower = defineDiagnostic({
	code: 'verify/slower',
	severity: 'error',
	explain:
		"The result was timed, and its fastest run took longer than half of the original's runs: what went does not pay on this machine, so nothing was written. Widths that onnxruntime has no fast kernel for, or a fused operator that was opened, are the usual causes. A recipe with an expectation of latency, or with a statement that is known to take time (`exit`, `unfuse attention`, `prune softmax`), is held to that alone.",
	message: ({ before, after, ratio }: { before: number; after: number; ratio: number }) =>
		`the result is slower than the original: ${ratio.toFixed(2)}x, ${after.toFixed(1)} ms at best where the original takes ${before.toFixed(1)} ms`,
	hint: () => 'add --keep-going to write it all the same, or say what is allowed: `expect latency <= 120%`',
});
export const otherResult = defineDiagnostic({
	code: 'verify/other-result',
	severity: 'error',
	explain:
		'The plan was carried out again on the original, and the file holds another graph or other weights than came out: it was built from another plan or by a version that rewrites differently, or it was changed afterwards.',
	message: ({ path, original }: { path: string; original: string }) =>
		`'${path}' is not what the plan makes of '${original}'`,
	hint: () => 'without --plan, `prunec verify` measures how far the two models are apart',
});
