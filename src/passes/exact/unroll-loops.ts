/** Loops that always take as many turns become what they do in each, so that what they read and make can be followed. Exact. */
import { findAnatomy } from '../../ir/anatomy/anatomy.ts';
import { buildNet } from '../../ir/axes/net.ts';
import { INT64 } from '../../ir/graph/dtype.ts';
import { inferFacts } from '../../ir/graph/facts.ts';
import { nodeLabel, type Model, type Node } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { floats, tensorOf } from '../../ir/graph/tensor.ts';
import { nothingToDo } from '../../messages/exact.ts';
import { asBefore, listRefusals, spoiled } from './exact.ts';
import { sitesInScope } from '../sites.ts';
import { insert } from '../edits.ts';
import { loopsOf, unrolled, type Turning } from './turns.ts';
import {
	defineTechnique,
	firstNumbering,
	type Lowered,
	type LowerTask,
	type Numbering,
	type Planned,
	type PlanRequest,
	saidOf,
} from '../technique.ts';

/** Ids of the loops that go, and of the nodes that take a value out of a sequence. */
type Unrolled = { readonly loops: readonly number[]; readonly taken: readonly number[] };

export const unrollLoops = defineTechnique<Unrolled>({
	words: {
		name: 'unroll-loops',
		verb: 'unroll',
		target: 'loops',
		aliases: ['loop'],
		summary:
			'Loops that take the same number of turns whatever the input become what they do turn by turn, and what is taken out of sequences the value that was put in: what others then remove can be followed through.',
		example: 'unroll loops',
		amounts: [],
		bare: true,
		clauses: ['in', 'except'],
		metrics: [],
	},
	plan: (request) => Promise.resolve(plan(request)),
	lower,
});

function plan(request: PlanRequest): Planned<Unrolled> {
	const { step, net } = request;
	const inScope = sitesInScope(request);
	const found = loopsOf(net).filter(({ exit }) => inScope(exit));
	const turning = found.flatMap(({ turning: one }) => (typeof one === 'string' ? [] : [one]));
	const { edits, taken, kept } = unrolled(net, turning, inScope);
	const refusals = [...found.map(({ exit, turning: why }) => [exit, why] as const), ...kept].flatMap(
		([node, why]) => (typeof why === 'string' ? [{ label: nodeLabel(node), why }] : []),
	);
	const takings = taken.length + kept.size;
	const unit = takings > 0 ? 'loops and takings from sequences' : 'loops';
	const [selected, of] = [turning.length + taken.length, found.length + takings];
	const nothing = selected === 0 ? [nothingToDo({ unit, of }, { span: step.span })] : [];
	return {
		plan: {
			...saidOf(step, 'what is exact'),
			...{ selected, of, unit },
			removed: [],
			refused: [...nothing, ...listRefusals(refusals, unit, request)],
			exact: true,
			decision: { loops: turning.map(({ exit }) => exit.id), taken },
		},
		tensors: new Map(),
		numbering: selected === 0 ? request.numbering : numberingAfter(request, edits),
	};
}

/** Layers that only now can be told count from here on; where there are as many as before they keep their numbers. */
function numberingAfter({ model, shapes, numbering }: PlanRequest, edits: readonly Edit[]): Numbering {
	const after = applyPatch(model, { label: 'unrolled', edits });
	const { layers } = findAnatomy(buildNet(after, inferFacts(after, shapes)));
	return layers.length === numbering.layers.length ? numbering : firstNumbering(layers.length);
}

function lower({ net, decision, label }: LowerTask<Unrolled>): Lowered {
	const [chosen, taken] = [new Set(decision.loops), new Set(decision.taken)];
	const loops = loopsOf(net).flatMap(({ exit, turning }) =>
		typeof turning === 'string' || !chosen.has(exit.id) ? [] : [turning],
	);
	const { edits } = unrolled(net, loops, ({ id }) => taken.has(id));
	const places = net.model.graph.nodes.filter(({ id }) => taken.has(id));
	const controls = [
		...spoiled(net.model, edits, label),
		...loops.map((turning) => () => turnedAgain(net, turning)),
		...places.map((node) => () => without(net.model, node)),
	];
	return {
		patch: { label, edits },
		claims: [asBefore(net.model, controls)],
	};
}

/** A control: one turn more. */
function turnedAgain({ model, facts }: LowerTask<Unrolled>['net'], { entry, count }: Turning): Model {
	const more = freshNames(model.graph)('turns');
	const dims = facts.of(entry.inputs[0] ?? '')?.sizes ?? [];
	return applyPatch(model, {
		label: 'one turn more',
		edits: [
			{ kind: 'constant', tensor: tensorOf(more, INT64, dims, [count + 1]) },
			{ kind: 'node', node: { ...entry, inputs: [more, ...entry.inputs.slice(1)] } },
		],
	});
}

/** A control: zeros in the place of what is taken out of a sequence. */
function without(model: Model, { outputs: [value = ''] }: Node): Model {
	const fresh = freshNames(model.graph);
	const [zero, none] = [fresh('zero'), fresh(`${value}_none`)];
	return applyPatch(model, {
		label: 'nothing taken out',
		edits: [
			{ kind: 'constant', tensor: floats(zero, [], [0]) },
			...model.graph.nodes
				.filter(({ inputs }) => inputs.includes(value))
				.map((node): Edit => ({
					kind: 'node',
					node: { ...node, inputs: node.inputs.map((name) => (name === value ? none : name)) },
				})),
			insert('Mul', [value, zero], none),
		],
	});
}
