number=NC2026000001
revision=1
status=ERROR
field=外部编号
message=外部编号已存在
