/** Messages of early exits. */
import { defineDiagnostic } from '../diagnostic.ts';

export const noExit = defineDiagnostic({
	code: 'plan/no-exit',
	severity: 'error',
	explain:
		'An exit puts the head of the model onto the result of a layer and leaves out the layers behind. That needs one output of class scores, [batch, classes], and no output or state that the layers left out would have to make.',
	message: ({ layer, why }: { layer: number; why: string }) => `no exit after layer ${layer}: ${why}`,
});
export const noExits = defineDiagnostic({
	code: 'plan/no-exits',
	severity: 'error',
	explain:
		'An exit puts the head of the model onto the result of a layer. That needs layers whose residual path can be followed and one output of class scores, [batch, classes].',
	message: ({ why }: { why: string }) => `this model can have no exits: ${why}`,
});
export const noThreshold = defineDiagnostic({
	code: 'plan/no-threshold',
	severity: 'error',
	explain:
		'Thresholds of exits are stored in the model, so that they can be set later, and the proof holds each exit open and shut by them. So `when` compares a signal with a number by <, <=, > or >=; such comparisons may be joined by `and`, `or` and `not`.',
	message: () => '`when` of an exit compares signals with numbers',
	hint: () => 'as in `when confidence > 0.9 and entropy < 0.3`',
});
export const tooLittleData = defineDiagnostic({
	code: 'plan/too-little-data',
	severity: 'error',
	explain:
		'A promise of agreement is kept with 95 % confidence, on examples that nothing was fitted to: every second one of the calibration data, of which a fifth was put aside for drift before. With no disagreement among n examples that leave the bound is 1 − 0.05^(1/n), so 99 % takes 299.',
	message: ({ found, least, asked }: { found: number; least: number; asked: number }) =>
		`${found} held-out examples cannot show an agreement of ${asked * 100}%: it takes ${least}`,
	hint: ({ least }) =>
		`give ${Math.ceil(2.5 * least)} calibration examples or more, as not all of them leave, or ask for less`,
});
export const noAgreement = defineDiagnostic({
	code: 'plan/no-agreement',
	severity: 'error',
	explain:
		'Thresholds are tried from strict to loose. The strictest one at which enough held-out examples leave already disagrees too often with the whole model.',
	message: ({ asked, count }: { asked: number; count: number }) =>
		`no confidence gives an agreement of ${asked * 100}% on ${count} held-out examples`,
	hint: () => 'exit after a later layer, give more data, or ask for less',
});
export const tooFewToFit = defineDiagnostic({
	code: 'plan/too-few-to-fit',
	severity: 'error',
	explain:
		'A head of its own for an exit is fitted to what the whole model, or the labels, say of calibration examples, and judged on every fifth of them, which it was not fitted to.',
	message: ({ head, found, least }: { head: string; found: number; least: number }) =>
		`\`with ${head}\` fits a matrix to calibration data: ${found === 0 ? 'none is' : `${found} examples are`} given, and it takes ${least}`,
	hint: () => 'give `--data`, `calibrate with "…"`, or `fit from "train.jsonl"` in the statement',
});
export const noLabels = defineDiagnostic({
	code: 'plan/no-labels',
	severity: 'error',
	explain:
		'A head that is fitted to labels needs the number of a class, from 0, beside every example: a column `label` in JSON lines, CSV or Parquet, or an array `x.labels.npy` beside `x.npy`.',
	message: ({ found, count, classes }: { found: number; count: number; classes: number }) =>
		`${found} of ${count} examples have a label from 0 to ${classes - 1}`,
	hint: () => '`with ridge` fits to what the whole model says, without labels',
});
export const cannotSplit = defineDiagnostic({
	code: 'plan/cannot-split',
	severity: 'error',
	explain:
		'`prunec split` takes apart what `exit after …` has made: the branches of a model become files of their own.',
	message: ({ path, why }: { path: string; why: string }) => `'${path}' cannot be split into stages: ${why}`,
	hint: () => "first `prunec build -e 'exit after layer 5 when confidence > 0.9' model.onnx -o early.onnx`",
});
export const stagesDiffer = defineDiagnostic({
	code: 'verify/stages-differ',
	severity: 'error',
	explain:
		'Stages are run one after another and held against the model that they were made of, with each exit held open. A difference beyond rounding is a mistake of prunec.',
	message: ({ output, error }: { output: string; error: number }) =>
		`output '${output}' of the stages differs from the model's by ${error.toExponential(2)} of its size`,
});
