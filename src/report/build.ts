/** The report of a build, for people. */
import { type Certificate, type Drift, type Proof } from '../ir/proof.ts';
import { amount } from '../messages/amounts.ts';
import { type Reported, type ReportedStep } from './reported.ts';
import { count, percent, table } from './tables.ts';

/** What a comparison of two models has of it too. */
type Told = Pick<Reported, 'steps' | 'model' | 'output' | 'inputs' | 'statistics' | 'drift' | 'expectations'>;

export function buildReport({ steps, model, output, inputs, statistics, drift, expectations }: Told): string {
	const lines = steps.flatMap((step, at) => stepLines(step, at + 1));
	if (statistics !== undefined) {
		const { fromCache, measured } = statistics;
		lines.push(`statistics from cache: ${fromCache} of ${fromCache + measured}`);
	}
	if (drift !== undefined) lines.push('', driftLine(drift), `inputs   ${inputs ?? ''}`);
	for (const { text, value, ok } of expectations)
		lines.push(
			`expect   ${text}: ${value === undefined ? 'not measured' : value.toPrecision(4)} ${ok ? 'holds' : 'FAILS'}`,
		);
	if (model !== undefined && output !== undefined) lines.push('', costTable(model, output, steps));
	if (output?.path !== undefined && output.bytes !== undefined) lines.push('', `written  ${output.path}`);
	return lines.join('\n');
}

function stepLines(step: ReportedStep, at: number): string[] {
	const metric = step.metric === undefined ? '' : `, by ${step.metric}`;
	const what = `step ${at}   ${step.statement}: ${step.selected} of ${step.of} ${step.unit}${metric}; ${count(step.params[0])} -> ${count(step.params[1])} parameters`;
	const where = step.removed
		.filter(({ units }) => units.length > 0)
		.map(({ layer, units }) => `         layer ${layer}: ${brief(units)}`);
	const taken = step.compensated ?? [];
	const readers = taken.filter(({ norm }) => norm === undefined);
	const refit = [refitLine(readers), normsLine(taken), scaleLine(taken)].filter((line) => line !== undefined);
	const numbers = step.certificates?.length ? [numbersLine(step.certificates)] : [];
	return [what, ...where, ...numbers, ...refit, ...(step.reached ?? []).map(goalLine), proofLine(step)];
}

function proofLine({ proof, unchanged }: ReportedStep): string {
	if (unchanged === true) return 'proof    nothing to prove: no node and no tensor changed';
	return proof === undefined ? 'proof    not run (--no-verify)' : equalLine(proof);
}

function goalLine({
	goal,
	unit,
	predicted,
	measured,
	by,
}: NonNullable<ReportedStep['reached']>[number]): string {
	const expected = predicted === undefined ? '' : ` (predicted ${amount(unit, predicted)})`;
	return `goal     ${goal}: ${amount(unit, measured)}${expected}${by === undefined ? '' : `, dealt out by ${by}`}`;
}

/** Mean over readers of what is lost of their outputs, on inputs that no refit has seen. */
function refitLine(readers: NonNullable<ReportedStep['compensated']>): string | undefined {
	const judged = readers.filter(({ heldOut }) => !Number.isNaN(heldOut.none));
	if (judged.length === 0)
		return readers.length === 0 ? undefined : 'refit    no inputs to judge it on: nothing refitted';
	const mean = (of: (one: (typeof judged)[number]) => number): string =>
		`${((100 * judged.reduce((sum, one) => sum + of(one), 0)) / judged.length).toPrecision(3)}%`;
	const changed = readers.filter(({ choice }) => choice !== 'none').length;
	const now = mean(({ choice, heldOut }) => heldOut[choice]);
	const isBiasTried = judged.every(({ heldOut }) => !Number.isNaN(heldOut.bias));
	const bias = isBiasTried ? `, ${mean(({ heldOut }) => heldOut.bias)} with a new bias alone` : '';
	return `refit    ${changed} of ${readers.length} readers: held-out error ${now} of their outputs' variance${bias}, ${mean(({ heldOut }) => heldOut.none)} without`;
}

/** Means over norms of what is off of their outputs, on inputs that no statistics were taken from. */
function normsLine(all: NonNullable<ReportedStep['compensated']>): string | undefined {
	const norms = all.filter(({ norm }) => norm !== undefined);
	if (norms.length === 0) return undefined;
	const mean = (of: (one: (typeof norms)[number]) => number): string =>
		`${((100 * norms.reduce((sum, one) => sum + of(one), 0)) / norms.length).toPrecision(3)}%`;
	const changed = norms.filter(({ choice }) => choice !== 'none').length;
	const [now, before] = [mean(({ choice, heldOut }) => heldOut[choice]), mean(({ heldOut }) => heldOut.none)];
	return `norms    ${changed} of ${norms.length} batch normalizations re-estimated: held-out error ${now} of their outputs' variance, ${before} without`;
}

/** What the logits of exits are divided by. */
function scaleLine(exits: NonNullable<ReportedStep['compensated']>): string | undefined {
	const scaled = exits.flatMap(({ layer, temperature }) =>
		temperature === undefined ? [] : [`${temperature.toFixed(2)} after layer ${layer}`],
	);
	return scaled.length === 0 ? undefined : `heat     temperature ${scaled.join(', ')}`;
}

function brief(units: readonly number[]): string {
	return units.length <= 12 ? units.join(', ') : `${units.slice(0, 8).join(', ')}, … (${units.length})`;
}

function numbersLine(certificates: readonly Certificate[]): string {
	const says = [...new Set(certificates.map((one) => one.says))].join(' and ');
	const errors = certificates.map(({ measured }) => measured);
	const apart = Math.max(...certificates.map(({ measured, expected }) => Math.abs(measured - expected)));
	const [least, most] = [Math.min(...errors), Math.max(...errors)].map((error) => percent(error, 1));
	return `numbers  ${certificates.length} matrices lose ${least ?? ''} to ${most ?? ''} of their norm by ${says}; measured and expected are within ${apart.toExponential(1)}`;
}

const ranWith: Readonly<Record<Proof['weights'], string>> = {
	own: '',
	seeded: ', with seeded weights',
	widened: ', in single precision',
};

function equalLine(proof: Proof): string {
	const verdict = proof.ok ? (proof.weak ? 'equal, but weak' : 'equal') : 'DIFFERENT';
	return `proof    ${verdict} to its reference (${proof.reference}) on ${proof.samples} inputs${ranWith[proof.weights]}: error ${proof.maxAbs.toExponential(1)} (tolerance ${proof.tolerance.toExponential(1)}, effect ${proof.effect.toExponential(1)}, control ${proof.control.toExponential(1)}${proof.stops === true ? ', or it stops' : ''})`;
}

function driftLine(drift: Drift): string {
	const parts = [
		`cosine ${drift.cosine.toFixed(5)}`,
		`relative L2 ${drift.relativeL2.toFixed(4)}`,
		...(drift.sqnrDb === undefined ? [] : [`SQNR ${drift.sqnrDb.toFixed(1)} dB`]),
		...(drift.kl === undefined ? [] : [`KL ${drift.kl.toExponential(2)}`]),
		...(drift.top1Agreement === undefined
			? []
			: [`top-1 agreement ${(100 * drift.top1Agreement).toFixed(2)}%`]),
	];
	return `drift    ${parts.join(', ')}`;
}

function costTable(
	model: NonNullable<Reported['model']>,
	output: NonNullable<Reported['output']>,
	steps: Reported['steps'],
): string {
	const row = (name: string, before: number, after: number | undefined, isAlike = true): string[] => [
		name,
		count(before),
		after === undefined ? '-' : count(after),
		after === undefined || !isAlike ? '-' : percent(after, before),
	];
	const [first = 0, last = 0] = [steps.at(0)?.uncounted?.[0], steps.at(-1)?.uncounted?.[1]];
	return table([
		['', 'before', 'after', 'left'],
		row('parameters', model.params, output.params),
		row('multiply-adds', model.macs, output.macs, first === last),
		row('bytes', model.bytes, output.bytes),
	]);
}
