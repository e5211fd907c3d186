/** Loops that always take as many turns become what they do in each, so that what they read and make can be followed. Exact. */
import { findAnatomy } from '../../ir/anatomy/anatomy.ts';
import { buildNet } from '../../ir/axes/net.ts';
import { inferFacts } from '../../ir/graph/facts.ts';
import { nodeLabel } from '../../ir/graph/graph.ts';
import { applyPatch, type Edit } from '../../ir/graph/patch.ts';
import { nothingToDo } from '../../messages/exact.ts';
import { listRefusals, spoiled } from './exact.ts';
import { sitesInScope } from '../sites.ts';
import { loopsOf, unrollEdits, type Turning } from './turns.ts';
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

/** Ids of the loops that go. */
type Unrolled = { readonly loops: readonly number[] };

export const unrollLoops = defineTechnique<Unrolled>({
	words: {
		name: 'unroll-loops',
		verb: 'unroll',
		target: 'loops',
		aliases: ['loop'],
		summary:
			'Loops that take the same number of turns whatever the input become what they do turn by turn, and sequences that they build the values in them: what others then remove can be followed through.',
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
	const refusals = found.flatMap(({ exit, turning: why }) =>
		typeof why === 'string' ? [{ label: nodeLabel(exit), why }] : [],
	);
	const unit = 'loops';
	const nothing = turning.length === 0 ? [nothingToDo({ unit, of: found.length }, { span: step.span })] : [];
	return {
		plan: {
			...saidOf(step, 'what is exact'),
			selected: turning.length,
			of: found.length,
			unit,
			removed: [],
			refused: [...nothing, ...listRefusals(refusals, unit, request)],
			exact: true,
			decision: { loops: turning.map(({ exit }) => exit.id) },
		},
		tensors: new Map(),
		numbering: numberingAfter(request, turning),
	};
}

/** Layers that only now can be told count from here on; where there are as many as before they keep their numbers. */
function numberingAfter(
	{ model, net, shapes, numbering }: PlanRequest,
	loops: readonly Turning[],
): Numbering {
	const edits = unrolled(net, loops);
	if (edits.length === 0) return numbering;
	const after = applyPatch(model, { label: 'unrolled', edits });
	const { layers } = findAnatomy(buildNet(after, inferFacts(after, shapes)));
	return layers.length === numbering.layers.length ? numbering : firstNumbering(layers.length);
}

const unrolled = (net: PlanRequest['net'], loops: readonly Turning[]): Edit[] =>
	loops.length === 0 ? [] : unrollEdits(net, loops);

function lower({ net, decision, label }: LowerTask<Unrolled>): Lowered {
	const chosen = new Set(decision.loops);
	const loops = loopsOf(net).flatMap(({ exit, turning }) =>
		typeof turning === 'string' || !chosen.has(exit.id) ? [] : [turning],
	);
	const edits = unrolled(net, loops);
	const controls = spoiled(net.model, edits, label);
	return {
		patch: { label, edits },
		claims: [{ says: 'the model before', reference: net.model, controls, isSpoiled: true }],
	};
}
