/** Messages of statements that shorten a sequence while the model runs. */
import { defineDiagnostic } from '../diagnostic.ts';

export const tokensStay = defineDiagnostic({
	code: 'plan/tokens-stay',
	severity: 'error',
	explain:
		'Tokens can leave when everything behind the layer treats positions alike, mixes them in an attention or a pooling that prunec knows how to mask, or can be cut along with them. An operator that does none of these is named; nothing is rewritten.',
	message: ({ why }: { why: string }) => `tokens cannot leave here: ${why}`,
});
export const risingSchedule = defineDiagnostic({
	code: 'plan/rising-schedule',
	severity: 'error',
	explain:
		'Shares of a schedule are of the length of the input; tokens that left behind one layer cannot be there behind a later one.',
	message: () => 'a later layer of the schedule keeps more tokens than an earlier one',
});
export const unclearThreshold = defineDiagnostic({
	code: 'plan/unclear-threshold',
	severity: 'error',
	explain:
		'Tokens are scored inside the model, for each input. `where` compares one of their scores with a number; those whose score is below leave.',
	message: () => '`where` of tokens compares one score with a number, by `<`',
	hint: () => 'as in `where attention < 0.01`; what must stay is named by `except "[SEP]"`',
});
export const outputShortens = defineDiagnostic({
	code: 'plan/output-shortens',
	severity: 'error',
	explain:
		'Outputs keep their shape unless the recipe allows the change by name. `keep last` leaves an output with a row for every token the row of the last position alone: what a sampler reads.',
	message: ({ output }: { output: string }) => `output '${output}' would have its last position alone`,
	hint: ({ output }) => `add \`may change "${output}"\``,
});
export const opsetLacks = defineDiagnostic({
	code: 'plan/opset',
	severity: 'error',
	explain: 'The rewrite needs operators that the operator set of this model does not have yet.',
	message: ({ what, needs, has }: { what: string; needs: number; has: number }) =>
		`${what} needs opset ${needs}, and the model has ${has}`,
	hint: ({ needs }) =>
		`export the model again with opset ${needs} or newer, or convert it: \`onnx.version_converter.convert_version(model, 17)\` in Python`,
});
