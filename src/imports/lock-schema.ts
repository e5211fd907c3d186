/** The JSON of `prune.lock`. `npm run docs` publishes it as grammar/lock.schema.json. */
export const lockSchema = {
	$schema: 'http://json-schema.org/draft-07/schema#',
	$id: 'https://prunec.dev/lock-1.schema.json',
	title: 'What the remote imports of prunec recipes resolved to',
	type: 'object',
	properties: {
		schema: { const: 'prunec/lock@1' },
		imports: {
			description:
				'By package: `npm:name`, `npm:name@version`, or `git+https://host/repository#tag-or-commit`.',
			type: 'object',
			propertyNames: { pattern: '^(npm:|git\\+https://|git\\+file:///)' },
			additionalProperties: {
				type: 'object',
				properties: {
					version: {
						description: 'Of an npm package.',
						type: 'string',
						pattern: '^[0-9]+\\.[0-9]+\\.[0-9]+[0-9A-Za-z.+-]*$',
					},
					commit: { description: 'Of a git repository.', type: 'string', pattern: '^[0-9a-f]{40}$' },
					files: {
						description: 'The SHA-256 of each file that is used, by its path in the package.',
						type: 'object',
						propertyNames: { pattern: '\\.prune$' },
						additionalProperties: { type: 'string', pattern: '^sha256-[A-Za-z0-9+/]{43}=$' },
					},
				},
				required: ['files'],
				oneOf: [{ required: ['version'] }, { required: ['commit'] }],
				additionalProperties: false,
			},
		},
	},
	required: ['schema', 'imports'],
	additionalProperties: false,
} as const;
