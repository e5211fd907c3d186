/** Channels and filters of convolutions, and the features of the linear layers behind them. */
import { type Family } from '../../ir/axes/families.ts';
import { type NetNode } from '../../ir/axes/net.ts';
import { pruneUnits } from './prune-units.ts';
import { groupsOf, isDepthwise, wideFamilies, writesAt } from './structures.ts';
import { type Found, type PlanRequest } from '../technique.ts';

const convolutions: ReadonlySet<string> = new Set([
	'Conv',
	'ConvTranspose',
	'FusedConv',
	'NhwcConv',
	'DeformConv',
	'ConvInteger',
	'QLinearConv',
]);
const linears: ReadonlySet<string> = new Set([
	'MatMul',
	'Gemm',
	'FusedMatMul',
	'FusedGemm',
	'Einsum',
	'MatMulInteger',
	'QLinearMatMul',
]);

export const pruneChannels = pruneUnits({
	target: 'channels',
	unit: 'channels',
	listed: true,
	aliases: ['channel', 'features'],
	align: 16,
	summary:
		'Remove feature maps with everything that reads them, across coupled convolutions; in networks of convolutions or of linear layers alone the features of linear layers too. Bare, those that are the same whatever the input: exact.',
	example: 'prune channels 30%',
	refits: true,
	constants: true,
	find: (request) => {
		const families = wideFamilies(request);
		const areFeatures =
			request.anatomy.layers.length === 0 || families.some((family) => writes(family, convolutions));
		const wanted = families.filter((family) => areFeatures && writes(family, convolutions, linears));
		return groupsOf(request, 'channels', wanted, (name) => `the channels of '${name}'`);
	},
});

export const pruneFilters = pruneUnits({
	target: 'filters',
	unit: 'filters',
	aliases: ['filter'],
	align: 16,
	summary:
		'Remove output filters of convolutions that are coupled to no other convolution, by their own weights. Bare, those that put out the same whatever the input: exact.',
	example: 'prune filters 30%',
	refits: true,
	constants: true,
	find: filters,
});

function filters(request: PlanRequest): Found {
	const wanted = wideFamilies(request).filter(
		(family) => writersOf(family, convolutions).length === 1 && writersOf(family, linears).length === 0,
	);
	return groupsOf(request, 'filters', wanted, (name) => `the filters of '${name}'`);
}

/** Nodes of these operators whose weights write the family's positions; depthwise ones only pass them on. */
function writersOf(family: Family, ops: ReadonlySet<string>): NetNode[] {
	return [...family.letters.keys()].filter(
		(node) => ops.has(node.node.op) && writesAt(family, node) && !isDepthwise(node),
	);
}

function writes(family: Family, ...ops: readonly ReadonlySet<string>[]): boolean {
	return ops.some((some) => writersOf(family, some).length > 0);
}
