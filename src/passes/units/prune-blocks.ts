/** Heads and feed-forward neurons: units of the blocks that layers are made of. */
import { type Diagnostic } from '../../diagnostic.ts';
import { type Block } from '../../ir/anatomy/parts.ts';
import { pinned } from '../../messages/plan.ts';
import { untiedBefore } from '../attention/untie-heads.ts';
import { pruneUnits } from './prune-units.ts';
import { layersInScope, namesOfBlock } from '../scope.ts';
import { type Found, type PlanRequest } from '../technique.ts';
import { type UnitGroup } from './units.ts';

export const pruneHeads = pruneUnits({
	target: 'heads',
	unit: 'heads',
	aliases: ['head'],
	align: 1,
	summary: 'Remove attention heads: their columns of the projections in, their rows of the projection out.',
	example: 'prune heads 25%',
	refits: true,
	find: (request) => unitsOfBlocks(request, 'attention', 'heads'),
	before: untiedBefore,
});

export const pruneQueries = pruneUnits({
	target: 'queries',
	unit: 'query heads',
	aliases: ['query'],
	align: 1,
	summary:
		'Remove query heads of grouped-query attention each by itself; keys and values go with the last of those that share them. Of fused operators, and of queries on an axis beside that of their keys, the same number of every group.',
	example: 'prune queries 25%',
	refits: true,
	find: queriesOf,
	before: untiedBefore,
});

export const pruneFfn = pruneUnits({
	target: 'ffn',
	unit: 'neurons',
	aliases: ['neurons', 'intermediate'],
	align: 16,
	summary:
		'Remove hidden neurons of feed-forward blocks, in gated ones the gate, up and down parts together.',
	example: 'prune ffn 30% in layers 50%..',
	refits: true,
	find: (request) => unitsOfBlocks(request, 'ffn', 'neurons'),
});

function unitsOfBlocks(request: PlanRequest, kind: Block['kind'], unit: string): Found {
	const placed = layersInScope(request).flatMap(({ layer, given }) =>
		layer.blocks
			.filter((block) => block.kind === kind && inCross(request, block))
			.map((block) => ({ block, layer: given })),
	);
	const reasons = placed.map(({ block }) => whyWhole(block, placed, request));
	return {
		groups: placed.flatMap(({ block, layer }, at) =>
			reasons[at] === undefined ? (groupOf(block, layer) ?? []) : [],
		),
		refused: placed.flatMap(({ layer }, at) => {
			const why = reasons[at];
			return why === undefined ? [] : [refusal(layer, unit, why, request)];
		}),
		total: placed.reduce((sum, { block }) => sum + block.units, 0),
	};
}

/** Why a block loses nothing: nothing can go, or it would go from layers too that the statement leaves out. */
function whyWhole(
	{ family, reasons }: Block,
	placed: readonly { readonly block: Block }[],
	{ anatomy, numbering }: PlanRequest,
): string | undefined {
	if (family === undefined) return reasons[0] ?? 'nothing there can go';
	const inScope = new Set(placed.map(({ block }) => block));
	const others = anatomy.layers.flatMap(({ blocks }, at) =>
		blocks.some((block) => block.family === family && !inScope.has(block))
			? [numbering.layers[at] ?? at]
			: [],
	);
	return others.length === 0
		? undefined
		: `they go together with those of layers ${others.join(', ')}, which the statement leaves out`;
}

function queriesOf(request: PlanRequest): Found {
	const groups = layersInScope(request).flatMap(({ layer, given }) =>
		layer.blocks
			.filter((block) => inCross(request, block))
			.flatMap((block) => queryGroup(block, given) ?? []),
	);
	return { groups, refused: [], total: groups.reduce((sum, { family }) => sum + family.units, 0) };
}

function queryGroup(block: Block, layer: number): UnitGroup | undefined {
	const { queries, family, node } = block;
	if (queries === undefined) return undefined;
	const key = `queries/${node.node.id}`;
	const named = { key, label: `layer ${layer}`, names: namesOfBlock(block) };
	return { family: queries, layer, ...named, ...(family && { shared: family }) };
}

function groupOf(block: Block, layer: number): UnitGroup | undefined {
	if (block.family === undefined) return undefined;
	const key = `${block.kind}/${block.node.node.id}`;
	return { family: block.family, layer, key, label: `layer ${layer}`, names: namesOfBlock(block) };
}

function inCross({ step }: PlanRequest, block: Block): boolean {
	return !step.in.some((place) => place.kind === 'cross-attention') || block.cross;
}

function refusal(layer: number, unit: string, why: string, { step }: PlanRequest): Diagnostic {
	return pinned({ what: `the ${unit} of layer ${layer}`, why }, { span: step.span, at: `layer ${layer}` });
}
