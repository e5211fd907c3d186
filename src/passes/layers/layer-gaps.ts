/** Branches that go, run by run, and what before each run may take up what they did. */
import { type Diagnostic } from '../../diagnostic.ts';
import { type Residual } from '../../ir/anatomy/parts.ts';
import { type ValueName } from '../../ir/graph/graph.ts';
import { notTakenUp } from '../../messages/layers.ts';
import { endOf, notLinear, type End, type Gap } from './absorb.ts';
import { type Placed } from '../scope.ts';
import { type Bypass } from './skip-norms.ts';
import { type PlanRequest } from '../technique.ts';

type Run = { readonly layer: number; readonly steps: readonly Residual[] };

/**
 * Each branch by itself, the last one first: what others read is looked up by name. Branches between bytes that follow each other go at
 * once, so that what went in is rounded to another scale once.
 */
export function bypassesOf(steps: readonly Residual[]): Bypass[] {
	const bypasses: Bypass[] = [];
	for (const { before, after, ofBytes } of steps) {
		const last = bypasses[0];
		if (ofBytes && last?.from === before) bypasses[0] = { from: after, to: last.to };
		else bypasses.unshift({ from: after, to: before });
	}
	return bypasses;
}

/** Branches of layers that follow each other along the residual path go together: a gap for each run of them. */
export function gapsOf(
	chosen: readonly (Placed & { readonly steps: readonly Residual[] })[],
	request: PlanRequest,
): { readonly gaps: readonly Gap[]; readonly notes: readonly Diagnostic[] } {
	const notes: Diagnostic[] = [];
	const gaps = runsOf(chosen).map(({ layer, steps }): Gap => {
		const taker = takerOf(steps, request);
		const plain = bypassesOf(steps);
		if (!('why' in taker)) return { taker, plain };
		notes.push(notTakenUp({ layer, why: taker.why }, { span: request.step.span, at: `layer ${layer}` }));
		return { plain };
	});
	return { gaps, notes };
}

function runsOf(chosen: readonly (Placed & { readonly steps: readonly Residual[] })[]): readonly Run[] {
	const runs: Run[] = [];
	for (const { given, steps } of chosen)
		for (const step of steps) {
			const last = runs.at(-1);
			if (last?.steps.at(-1)?.after === step.before)
				runs[runs.length - 1] = { ...last, steps: [...last.steps, step] };
			else runs.push({ layer: given, steps: [step] });
		}
	return runs;
}

/** The branch before a run, whose norm, if one follows its sum, gives way to that of the last branch which goes. */
function takerOf(
	steps: readonly Residual[],
	{ anatomy, numbering }: PlanRequest,
): NonNullable<Gap['taker']> | { readonly why: string } {
	const start: ValueName | undefined = steps[0]?.before;
	const last = endOf(steps.at(-1)?.block);
	if ('why' in last) return last;
	for (const [at, { residuals }] of anatomy.layers.entries()) {
		const block = residuals.find(({ after }) => after === start)?.block;
		if (block === undefined) continue;
		const end: End | { readonly why: string } = endOf(block);
		const why = 'why' in end ? end.why : notLinear(end);
		if ('why' in end || why !== undefined) return { why: why ?? '' };
		const from = last.sum.output.name;
		const after = steps.at(-1)?.after ?? from;
		const isNormed = after !== from || start !== end.sum.output.name;
		const norms = isNormed ? { norms: { before: start ?? '', after } } : {};
		return { layer: numbering.layers[at] ?? at, end, from, ...norms };
	}
	return { why: 'no layer stands before it' };
}
