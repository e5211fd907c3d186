/** Heads and feed-forward neurons: units of a block, removed through the axis engine. */
import { Fault, present, type Diagnostic } from '../diagnostic.ts';
import { type Block } from '../ir/anatomy/parts.ts';
import { cutOf, type Cut } from '../ir/axes/cut.ts';
import { noAnatomy, pinned } from '../messages/plan.ts';
import { layersInScope } from './scope.ts';
import { metricNamed } from './scores.ts';
import { select, type Candidate, type Selected } from './select.ts';
import {
	type Decision,
	type Numbering,
	type Mask,
	type Planned,
	type PlanRequest,
	type Technique,
} from './technique.ts';

type Kind = {
	readonly kind: Block['kind'];
	readonly target: string;
	readonly unit: string;
	readonly aliases: readonly string[];
	readonly align: number;
	readonly summary: string;
	readonly example: string;
};

function pruneUnits({ kind, target, unit, aliases, align, summary, example }: Kind): Technique {
	return {
		words: {
			name: `prune-${target}`,
			verb: 'prune',
			target,
			aliases,
			summary,
			example,
			amounts: ['remove-share', 'remove-count', 'keep-share', 'keep-count', 'set'],
			bare: false,
			clauses: ['in', 'except', 'where', 'by', 'align', 'min', 'globally'],
			metrics: ['wanda', 'l2', 'l1', 'activation', 'random'],
		},
		plan: (request) => planUnits(request, kind, unit, align),
	};
}

export const pruneHeads = pruneUnits({
	kind: 'attention',
	target: 'heads',
	unit: 'heads',
	aliases: ['head'],
	align: 1,
	summary: 'Remove attention heads: their columns of the projections in, their rows of the projection out.',
	example: 'prune heads 25%',
});

export const pruneFfn = pruneUnits({
	kind: 'ffn',
	target: 'ffn',
	unit: 'neurons',
	aliases: ['neurons', 'intermediate'],
	align: 16,
	summary:
		'Remove hidden neurons of feed-forward blocks, in gated ones the gate, up and down parts together.',
	example: 'prune ffn 30% in layers 50%..',
});

async function planUnits(
	request: PlanRequest,
	kind: Block['kind'],
	unit: string,
	align: number,
): Promise<Planned> {
	const { step, numbering } = request;
	const placed = layersInScope(request).flatMap(({ layer, given }) =>
		layer.blocks
			.filter((block) => block.kind === kind && inCross(request, block))
			.map((block) => ({ block, layer: given })),
	);
	if (placed.length === 0) throw new Fault(noAnatomy({ target: step.target }, { span: step.span }));
	const refused = placed
		.filter(({ block }) => block.family === undefined)
		.map(({ block, layer }) => refusal(block, layer, unit, request));
	const metric = step.by ?? (request.lab?.calibrated ? 'wanda' : 'l2');
	const candidates = await scored(request, placed, metric);
	const { selected, notes } = select(step, candidates, unit, align);
	return {
		plan: {
			statement: step.text,
			technique: `prune-${step.target}`,
			line: step.line,
			requested: amountText(request),
			selected: selected.reduce((sum, one) => sum + one.units.length, 0),
			of: placed.reduce((sum, { block }) => sum + block.units, 0),
			unit,
			metric,
			removed: selected.map(({ candidate, units: gone }) => ({
				layer: candidate.layer,
				units: gone.map((at) => candidate.given[at] ?? at),
			})),
			refused: [...refused, ...notes],
			decision: decide(selected),
		},
		tensors: new Map(),
		numbering: { ...numbering, units: remaining(numbering.units, kind, selected) },
	};
}

/** The given numbers of the units that stay. */
function remaining(
	units: Numbering['units'],
	kind: string,
	selected: readonly Selected[],
): Numbering['units'] {
	const after = new Map(units);
	for (const { candidate, units: gone } of selected) {
		const stay = candidate.given.filter((_, at) => !gone.includes(at));
		after.set(`${kind}/${candidate.layer}`, stay);
	}
	return after;
}

async function scored(
	request: PlanRequest,
	placed: readonly { block: Block; layer: number }[],
	metric: string,
): Promise<Candidate[]> {
	const candidates: Candidate[] = [];
	for (const { block, layer } of placed) {
		if (block.family === undefined) continue;
		const scores = await metricNamed(metric).score(block, request);
		const given = request.numbering.units.get(`${block.kind}/${layer}`) ?? Array.from(scores, (_, at) => at);
		candidates.push({ block, layer, given, scores });
	}
	return candidates;
}

function inCross({ step }: PlanRequest, block: Block): boolean {
	return !step.in.some((place) => place.kind === 'cross-attention') || block.cross;
}

function amountText({ step }: PlanRequest): string {
	return step.text.replace(/^\S+\s+\S+\s*/, '');
}

function refusal(block: Block, layer: number, unit: string, { step }: PlanRequest): Diagnostic {
	return pinned(
		{ what: `the ${unit} of layer ${layer}`, why: block.reasons[0] ?? 'nothing there can go' },
		{ span: step.span, at: `layer ${layer}` },
	);
}

/** The whole cut, spelled out, with the masks of the reference and one more unit for its negative control. */
export function decide(selected: readonly Selected[]): Decision {
	const chosen = selected.map(({ candidate, units }) => ({
		family: present(candidate.block.family, 'a family'),
		units: new Set(units),
	}));
	const masks = selected.flatMap(({ candidate, units }) => masksOf(candidate.block, units));
	const control = selected.slice(0, 1).flatMap(({ candidate, units }) => {
		const kept = candidate.scores.findIndex((_, at) => !units.includes(at));
		const best = candidate.scores.reduce(
			(top, score, at) => (!units.includes(at) && score > (candidate.scores[top] ?? -Infinity) ? at : top),
			kept,
		);
		return masksOf(candidate.block, [best]);
	});
	return { kind: 'cut', ...spellOut(cutOf(chosen)), masks, control };
}

function masksOf(block: Block, units: readonly number[]): Mask[] {
	const { tensor, axis, unitAt } = present(block.choke, 'where the units are read');
	const gone = new Set(units);
	const dead = [...unitAt.entries()].filter(([, unit]) => gone.has(unit)).map(([position]) => position);
	return [{ value: tensor.name, axis, dead }];
}

function spellOut(cut: Cut): Pick<Extract<Decision, { kind: 'cut' }>, 'axes' | 'letters'> {
	const places = (set: Uint8Array): number[] =>
		[...set.entries()].filter(([, gone]) => gone === 1).map(([at]) => at);
	return {
		axes: [...cut.dead].flatMap(([tensor, sets]) =>
			[...sets.entries()].flatMap(([axis, set]) =>
				set ? [{ tensor: tensor.key, axis, dead: places(set) }] : [],
			),
		),
		letters: [...cut.letters].flatMap(([node, sets]) =>
			[...sets.entries()].flatMap(([at, set]) =>
				set ? [{ node: node.node.id, letter: node.row?.letters[at]?.name ?? '', dead: places(set) }] : [],
			),
		),
	};
}
