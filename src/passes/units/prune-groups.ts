/** Whole groups of grouped convolutions: their filters, the channels they read, and everybody who reads what they write. */
import { type Family } from '../../ir/axes/families.ts';
import { type NetNode } from '../../ir/axes/net.ts';
import { pruneUnits } from './prune-units.ts';
import { groupsOf, wideFamilies } from './structures.ts';

const grouped: ReadonlySet<string> = new Set([
	'Conv',
	'ConvTranspose',
	'FusedConv',
	'NhwcConv',
	'DeformConv',
]);

export const pruneGroups = pruneUnits({
	target: 'groups',
	unit: 'groups',
	aliases: ['group'],
	align: 1,
	summary:
		'Remove whole groups of grouped convolutions, with the channels that go in and come out of them; depthwise ones are a matter of channels.',
	example: 'prune groups 25%',
	find: (request) =>
		groupsOf(request, 'groups', wideFamilies(request).filter(isByGroup), (name) => `the groups of '${name}'`),
});

/** Whether units are groups of some convolution: the walk reads its channels by their group, and a group has several. */
function isByGroup(family: Family): boolean {
	return [...family.letters].some(([node, classes]) => {
		const group = node.row?.letters.findIndex(({ name }) => name === 'g') ?? -1;
		return grouped.has(node.node.op) && classes[group] !== undefined && isWide(node);
	});
}

function isWide({ row }: NetNode): boolean {
	const size = (name: string): number => row?.letters.find((letter) => letter.name === name)?.size ?? 1;
	return size('g') > 1 && (size('i') > 1 || size('o') > 1);
}
