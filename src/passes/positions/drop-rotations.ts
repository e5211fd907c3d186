/**
 * `prune positions with none`: queries and keys of an attention are no longer turned by position (NoPE, arXiv:2305.19466). A causal model still
 * sees the order in its mask; an encoder does not. With an amount those go whose loss the outputs feel least. Lossy.
 */
import { Fault, present, type Diagnostic } from '../../diagnostic.ts';
import { type Net } from '../../ir/axes/net.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Model, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { constantsOf } from '../../ir/graph/constants.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { type Step } from '../../ir/recipe/recipe.ts';
import { countToRemove } from '../../ir/recipe/amounts.ts';
import { stays } from '../../messages/exact.ts';
import { needsData, noAnatomy } from '../../messages/plan.ts';
import { blendEdits } from '../layers/blend-layers.ts';
import { attributeInt } from '../edits.ts';
import { rotationsOf, type Turned } from './rotary.ts';
import { sitesInScope } from '../sites.ts';
import {
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
	withAmount,
} from '../technique.ts';
import { isAllowed } from '../vocabulary/vocabulary-parts.ts';

/** Rotations that go: from a value to what it was turned from, or the fused attention that turns by itself. */
export type Straight = {
	readonly rotations: readonly (
		{ readonly from: ValueName; readonly to: ValueName } | { readonly node: number }
	)[];
};

/** Attentions in scope that turn queries and keys; of those the ones that may stop, and what stays otherwise. Throws `Fault` for none. */
function turning(request: PlanRequest): {
	readonly free: readonly Turned[];
	readonly of: number;
	readonly refused: readonly Diagnostic[];
} {
	const { step, net } = request;
	const inScope = sitesInScope(request);
	const { turned, refused } = rotationsOf(net);
	const wanted = turned.filter(({ attention }) => inScope(attention.node));
	const of = wanted.length + refused.size;
	if (of === 0)
		throw new Fault(
			noAnatomy({ target: 'rotations of queries and keys', scoped: step.in.length > 0 }, { span: step.span }),
		);
	const seen = wanted.filter(({ outputs }) => outputs.some((name) => !isAllowed(step, name)));
	const free = wanted.filter((one) => !seen.includes(one));
	return { free, of, refused: [...kept(seen, request), ...others(refused, request)] };
}

/** One attention that stops, two, and so on: those whose loss the outputs feel least. */
export function dialStraight(request: PlanRequest): readonly Step[] {
	const { step } = request;
	return turning(request).free.map((_, at) => withAmount(step, { kind: 'remove-count', count: at + 1 }));
}

export async function planStraight(request: PlanRequest): Promise<Planned<Straight>> {
	const { step, numbering } = request;
	const { free, of, refused } = turning(request);
	const chosen = await choose(request, free);
	return {
		plan: {
			...saidOf(step),
			selected: chosen.length,
			of,
			unit: 'attentions (queries and keys not turned by position)',
			...(step.amount && { metric: 'drift' }),
			removed: [],
			refused,
			decision: decisionOf(chosen),
		},
		tensors: new Map(),
		numbering,
	};
}

function decisionOf(chosen: readonly Turned[]): Straight {
	const rotations = chosen.flatMap((one) => one.rotations);
	return {
		rotations: rotations.map(({ node, input, output }) =>
			input === undefined || output === undefined ? { node: node.node.id } : { from: output, to: input },
		),
	};
}

function kept(seen: readonly Turned[], { step }: PlanRequest): Diagnostic[] {
	return seen.map(({ attention, outputs }) => {
		const output = outputs[0] ?? '';
		const why = `its turned keys are the output '${output}', which stays without \`may change "${output}"\``;
		return stays(
			{ unit: 'attentions', why, labels: [attention.node.name || attention.node.op] },
			{ span: step.span },
		);
	});
}

const others = (refused: ReadonlyMap<string, string>, { step }: PlanRequest): Diagnostic[] =>
	[...refused].map(([label, why]) => stays({ unit: 'rotations', why, labels: [label] }, { span: step.span }));

/** All, or with an amount those after whose change, each alone, the outputs drift least. */
async function choose({ step, net, lab }: PlanRequest, all: readonly Turned[]): Promise<readonly Turned[]> {
	if (step.amount === undefined) return all;
	if (lab?.calibrated !== true)
		throw new Fault(needsData({ metric: 'drift', fitted: true }, { span: step.spans.amount ?? step.span }));
	const harm: number[] = [];
	for (const one of all) {
		const edits = editsFor(net, decisionOf([one]));
		const { kl, relativeL2 } = await lab.drift(net.model, applyPatch(net.model, { label: 'tried', edits }));
		harm.push(kl ?? relativeL2);
	}
	const { remove } = countToRemove(step.amount, all.length, { align: 1, min: 0 });
	const order = harm.map((_, at) => at).sort((a, b) => (harm[a] ?? 0) - (harm[b] ?? 0) || a - b);
	const gone = new Set(order.slice(0, remove));
	return all.filter((_, at) => gone.has(at));
}

function nodeOf({ graph }: Model, id: number): Node {
	return present(
		graph.nodes.find((node) => node.id === id),
		'a fused attention',
	);
}

function editsFor({ model }: Net, { rotations }: Straight): Edit[] {
	return rotations.map((one): Edit => {
		if ('from' in one) return { kind: 'rewire', ...one };
		const node = nodeOf(model, one.node);
		const inputs = node.inputs.map((name, slot) => (slot === 7 || slot === 8 ? '' : name));
		while (inputs.at(-1) === '') inputs.pop();
		const attributes = new Map([...node.attributes, ...attributeInt('do_rotary', 0)]);
		return { kind: 'node', node: { ...node, inputs, attributes } };
	});
}

/**
 * Reference: what was turned + 0 · (the turned − that); of a fused attention the cosines as ones and the sines as zeros. Control: the model
 * before.
 */
export function lowerStraight({ net, decision, label }: LowerTask<Straight>): Lowered {
	const reference = decision.rotations.reduce((model, one) => {
		const edits = 'from' in one ? blendedAway(net, model, one) : unturned(model, one.node);
		return applyPatch(model, { label: 'reference', edits });
	}, net.model);
	return {
		patch: { label, edits: editsFor(net, decision) },
		claims: [{ says: 'what was turned + 0 · (the turned − that)', reference, controls: [() => net.model] }],
	};
}

function blendedAway(net: Net, model: Model, { from, to }: { from: ValueName; to: ValueName }): Edit[] {
	const fresh = freshNames(model.graph);
	const zero = fresh('zero');
	const tensor = tensorOf(zero, net.facts.of(from)?.type ?? FLOAT, [], [0]);
	return [{ kind: 'constant', tensor }, ...blendEdits(model, fresh, from, to, zero)];
}

/** A rotation by angles of zero. */
function unturned(model: Model, id: number): Edit[] {
	const node = nodeOf(model, id);
	const fresh = freshNames(model.graph);
	const constants = constantsOf(model.graph);
	const names = [7, 8].map((slot) => fresh(`${node.inputs[slot] ?? ''}_still`));
	const tables = [7, 8].map((slot, at): Edit => {
		const { type, dims } = present(constants.get(node.inputs[slot] ?? ''), 'a table of angles');
		const count = dims.reduce((product, dim) => product * dim, 1);
		const tensor = tensorOf(names[at] ?? '', type, dims, new Float64Array(count).fill(1 - at));
		return { kind: 'constant', tensor };
	});
	const inputs = node.inputs.map((name, slot) => (slot === 7 || slot === 8 ? (names[slot - 7] ?? '') : name));
	return [...tables, { kind: 'node', node: { ...node, inputs } }];
}
